/**
 * The connections of a client over TLS: their handshakes, and the records that come and go. What is
 * in the records, and what a lost connection means, is for the classes that extend it.
 */
import { getSystemErrorName } from 'node:util'
import type { LoadTask } from '../../../task.ts'
import { handshakeCut, handshakeTimeout } from '../../../wire/tls/failures.ts'
import { systemError, type Libc } from '../../os/libc.ts'
import type { OpenSsl, Pointer } from '../../os/openssl.ts'
import { Arena, type BufferPool } from '../buffers.ts'
import * as entries from '../entries.ts'
import { kind, tag } from '../entries.ts'
import * as k from '../kernel.ts'
import { Outgoing } from '../outgoing.ts'
import type { Ring } from '../ring.ts'
import * as bit from '../state.ts'
import { Table } from '../table.ts'
import { clientContext, type Context } from './context.ts'
import { Judge } from './judge.ts'
import { Outbox } from './outbox.ts'
import { Records, stop } from './records.ts'

export interface Parts {
  libc: Libc
  ssl: OpenSsl
  ring: Ring
  pool: BufferPool
}

/** How far a connection is. */
export const phase = { NONE: 0, HANDSHAKE: 1, OPEN: 2, FINISHING: 3, FINISHED: 4 } as const
/** Of SSL_ctrl(3): the name for SNI. */
const SET_TLSEXT_HOSTNAME = 55

export abstract class ClientLinks {
  /** How many handshakes are under way. */
  shaking = 0
  protected readonly ring: Ring
  protected readonly table: Table
  protected readonly out: Outgoing
  protected readonly records: Records
  /** Of OpenSSL, by slot; 0: none. */
  protected readonly connections: Float64Array
  protected readonly phase: Uint8Array
  protected halts = false
  /** Connections to be dealt with when the turn is over. */
  protected due: readonly number[] = []
  readonly #ssl: OpenSsl
  readonly #pool: BufferPool
  readonly #outbox: Outbox
  readonly #context: Context
  readonly #judge: Judge
  /** Why handshakes failed, until that is taken. */
  readonly #failures = new Map<number, Error>()

  constructor({ libc, ssl, ring, pool }: Parts, task: LoadTask, count: number) {
    this.#ssl = ssl
    this.ring = ring
    this.#pool = pool
    this.#outbox = new Outbox(libc)
    this.table = new Table(count)
    const memory = { ring, pool, arena: new Arena(libc) }
    // What comes back is always read.
    this.out = new Outgoing(memory, this.#outbox, this.table, () => {})
    this.records = new Records(ssl, libc)
    this.#context = clientContext(ssl, task)
    this.#judge = new Judge(ssl, task)
    this.connections = new Float64Array(count)
    this.phase = new Uint8Array(count)
  }

  /** The handshake is done, and the server is trusted. */
  protected abstract onOpen(slot: number): void
  /** Bytes came, and lie in records.plain; false if the connection was closed because of them. */
  protected abstract arrived(slot: number, length: number, now: number): boolean
  /** The server has ended it, or it broke; it is closed then. */
  protected abstract onEnded(slot: number, error?: Error): void
  /** Nothing of it waits to be sent. */
  protected abstract onSentAll(slot: number): void

  /** Begins the handshake of a slot that is connected. */
  shake(slot: number): void {
    this.table.onOpened(slot)
    entries.receive(this.ring, slot, 0)
    const connection = this.records.open(this.#context.pointer)
    this.connections[slot] = connection
    this.phase[slot] = phase.HANDSHAKE
    this.shaking++
    if (connection === 0) return this.fail(slot, systemError('ENOMEM'))
    this.#ssl.SSL_set_connect_state(connection)
    const { sentName } = this.#judge
    if (sentName) this.#ssl.SSL_ctrl(connection, SET_TLSEXT_HOSTNAME, 0, sentName)
    this.#read(slot, 0)
  }

  /** Closes the connections whose handshakes have taken too long. */
  giveUpHandshakes(): void {
    for (const [slot, value] of this.phase.entries())
      if (value === phase.HANDSHAKE) this.fail(slot, handshakeTimeout())
  }

  /** Handshakes that have failed since the last call, and why. */
  takeFailures(): Map<number, Error> {
    const failures = new Map(this.#failures)
    this.#failures.clear()
    return failures
  }

  /** A slot has one connection, and no other one after it. */
  onRecv(slot: number, _generation: number, result: number, flags: number, now: number): void {
    const at = result > 0 ? this.out.sends.received(result, flags) : 0
    if (this.table.state[slot] === 0) return
    if (result > 0) {
      this.records.put(this.#pool.address + at, result)
      this.#read(slot, now)
    } else if (result === 0) this.#onEnd(slot)
    else if (result !== k.error.NOBUFS && result !== k.ECANCELED)
      this.fail(slot, systemError(getSystemErrorName(result)))
    if (flags & k.cqe.MORE || this.table.state[slot] === 0) return
    if (result > 0 || result === k.error.NOBUFS) entries.receive(this.ring, slot, 0)
  }

  /** Takes what the records have. */
  #read(slot: number, now: number): void {
    const { records } = this
    const connection = this.connections[slot]!
    do {
      const isOpen = this.phase[slot] !== phase.HANDSHAKE
      const length = records.read(connection, isOpen)
      if (!isOpen && (length > 0 || records.isOpen(connection)))
        this.#judgeOne(slot, connection, length)
      const goesOn = this.table.state[slot] !== 0
      if (!goesOn || (length > 0 && !this.arrived(slot, length, now))) return records.forget()
      if (records.stop === stop.MORE) this.sendRecords(slot)
    } while (records.stop === stop.MORE)
    const error = records.failed ? records.failure(connection) : undefined
    // Always: nothing of this connection may be left to the next one.
    this.sendRecords(slot)
    if (error) this.fail(slot, error)
    else if (records.stop === stop.END) this.#onEnd(slot)
  }

  /** The handshake is done. The server may have sent `length` bytes already. */
  #judgeOne(slot: number, connection: Pointer, length: number): void {
    const { plain, plainBytes } = this.records
    const early = length > 0 ? Buffer.from(plainBytes.subarray(0, length)) : undefined
    const error = this.#judge.judge(connection, { address: plain.address, bytes: plainBytes })
    if (early) plainBytes.set(early)
    if (error) return this.fail(slot, error)
    this.shaking--
    this.phase[slot] = phase.OPEN
    this.onOpen(slot)
  }

  /** Sends the records that were made. */
  protected sendRecords(slot: number): void {
    const outbox = this.#outbox
    for (;;) {
      const { at, room, stays } = outbox
      const length = this.records.take(outbox.address + at, room)
      if (length === 0) return
      if (stays) outbox.use(length)
      this.out.send(slot, at, length, stays)
      if (length < room) return
    }
  }

  #onEnd(slot: number): void {
    if (this.phase[slot] === phase.HANDSHAKE) this.fail(slot, handshakeCut())
    else this.onEnded(slot)
  }

  protected fail(slot: number, error: Error): void {
    if (this.phase[slot] !== phase.HANDSHAKE) return this.onEnded(slot, error)
    this.#failures.set(slot, error)
    this.closeLink(slot)
  }

  onSendFailed(parity: number, index: number, result: number): void {
    const list = this.out.sends.listOf(parity)
    const slot = list.slot[index]!
    if (this.table.state[slot] === 0) return
    if (result < 0 && result !== k.error.AGAIN)
      return this.fail(slot, systemError(getSystemErrorName(result)))
    const sent = Math.max(0, result)
    this.out.keep(slot, list.at[index]! + sent, list.length[index]! - sent, true)
    this.out.sends.later(slot)
  }

  onSent(slot: number, _generation: number, result: number): void {
    if (this.table.state[slot] === 0) return
    this.table.state[slot]! &= ~bit.SENDING
    if (result <= 0 && result !== k.ECANCELED)
      return this.fail(slot, systemError(getSystemErrorName(result)))
    if (result > 0) this.out.onRest(slot, result)
    this.#proceed(slot)
  }

  /** Sends the rest, or what comes next, as soon as the sends of the turn are known. */
  #proceed(slot: number): void {
    if (this.out.sends.isOpen(slot)) return this.out.sends.later(slot)
    const state = this.table.state[slot]!
    if (state === 0 || state & bit.SENDING || this.halts) return
    if (state & bit.WAITING) this.out.sendRest(slot)
    else this.onSentAll(slot)
  }

  /** To be called when what the last turn submitted is known, before the next is submitted. */
  endTurn(): void {
    const { sends } = this.out
    for (const slot of this.due) this.#proceed(slot)
    sends.endTurn()
    this.due = sends.beginTurn(false).due
    this.#outbox.endTurn()
  }

  /** Closing a direct descriptor ends what is under way on it only if it is cancelled. */
  protected closeLink(slot: number): void {
    const { ring } = this
    if (this.phase[slot] === phase.HANDSHAKE) this.shaking--
    if (this.table.state[slot]! & bit.SENDING) entries.cancel(ring, tag(kind.REST, slot))
    else this.out.drop(slot)
    entries.cancel(ring, tag(kind.RECV, slot))
    entries.close(ring, slot)
    this.table.onClosed(slot)
    this.phase[slot] = phase.NONE
    this.records.free(this.connections[slot]!)
    this.connections[slot] = 0
  }

  /** To be called after the ring is closed. */
  close(): void {
    this.records.close()
    this.#outbox.close()
    this.#context.close()
  }
}
