/**
 * The connections of a load with something above the socket, TLS or WebSocket: how they are made,
 * and what comes and goes. What the bytes mean is for the classes that extend it.
 */
import { getSystemErrorName } from 'node:util'
import { systemError, type Libc } from '../os/libc.ts'
import { Arena, type BufferRing } from './memory.ts'
import * as entries from './entries.ts'
import { kind, tag } from './entries.ts'
import * as k from './kernel.ts'
import type { LoadInput } from './load-input.ts'
import { Outbox } from './outbox.ts'
import { Outgoing } from './outgoing.ts'
import type { Ring } from './ring.ts'
import * as bit from './state.ts'
import { SlotTable } from './table.ts'

export interface LinkParts {
  libc: Libc
  ring: Ring
  input: LoadInput
}

/** How far a connection is. */
export const linkPhase = { NONE: 0, HANDSHAKE: 1, OPEN: 2, FINISHING: 3, FINISHED: 4 } as const

export abstract class ClientLinks {
  /** How many handshakes are under way. */
  shaking = 0
  protected readonly ring: Ring
  protected readonly bufferRing: BufferRing
  protected readonly table: SlotTable
  protected readonly out: Outgoing
  /** Where the bytes lie that are sent. */
  protected readonly outbox: Outbox
  protected readonly phase: Uint8Array
  protected halts = false
  /** Connections to be dealt with when the turn is over. */
  protected due: readonly number[] = []
  /** When the last bytes came. */
  protected cameNs = 0
  readonly #input: LoadInput
  /** Why handshakes failed, until that is taken. */
  readonly #failures = new Map<number, Error>()

  constructor({ libc, ring, input }: LinkParts, count: number) {
    const { bufferRing } = input
    this.ring = ring
    this.bufferRing = bufferRing
    this.#input = input
    this.outbox = new Outbox(libc)
    this.table = new SlotTable(count)
    const memory = { ring, bufferRing, arena: new Arena(libc) }
    // What comes back is always read.
    this.out = new Outgoing(memory, this.outbox, this.table, () => {})
    this.phase = new Uint8Array(count)
  }

  /** Says the first words of the handshake. */
  protected abstract greet(slot: number): void
  /** Why a handshake failed: it took too long, or the server ended it. */
  protected abstract late(slot: number): Error
  protected abstract cut(slot: number): Error
  /** Bytes came into a buffer. */
  protected abstract came(slot: number, at: number, length: number, now: number): void
  /** The handshake is done. */
  protected abstract onOpen(slot: number): void
  /** The server has ended it, or it broke; it is closed then. */
  protected abstract onEnded(slot: number, error?: Error): void
  /** Nothing of it waits to be sent. */
  protected abstract onSentAll(slot: number): void
  /** It is closed. */
  protected abstract forget(slot: number): void

  /** Begins the handshake of a slot that is connected. */
  shake(slot: number): void {
    this.table.onOpened(slot)
    this.#input.receive(slot, 0)
    this.phase[slot] = linkPhase.HANDSHAKE
    this.shaking++
    this.greet(slot)
  }

  protected opened(slot: number): void {
    this.shaking--
    this.phase[slot] = linkPhase.OPEN
    this.onOpen(slot)
  }

  /** Closes the connections whose handshakes have taken too long. */
  giveUpHandshakes(): void {
    for (const [slot, value] of this.phase.entries())
      if (value === linkPhase.HANDSHAKE) this.fail(slot, this.late(slot))
  }

  /** Handshakes that have failed since the last call, and why. */
  takeFailures(): Map<number, Error> {
    const failures = new Map(this.#failures)
    this.#failures.clear()
    return failures
  }

  /** A slot has one connection, and no other one after it. */
  onRecv(slot: number, _generation: number, result: number, flags: number, now: number): void {
    const input = this.#input
    const at = result > 0 ? this.out.sends.received(result, flags) + input.payloadAt : 0
    if (this.table.state[slot] === 0) return
    const length = input.lengthOf(result, flags)
    if (length > 0) {
      this.cameNs = input.cameNs(flags, now)
      this.came(slot, at, length, now)
    } else if (length === 0) this.end(slot)
    else if (length === k.error.NOBUFS) input.grow()
    else if (length !== k.ECANCELED) this.fail(slot, systemError(getSystemErrorName(length)))
    if (flags & k.cqe.MORE || this.table.state[slot] === 0) return
    if (length > 0 || length === k.error.NOBUFS) input.receive(slot, 0)
  }

  /** The server has ended it. */
  protected end(slot: number): void {
    if (this.phase[slot] === linkPhase.HANDSHAKE) this.fail(slot, this.cut(slot))
    else this.onEnded(slot)
  }

  protected fail(slot: number, error: Error): void {
    if (this.phase[slot] !== linkPhase.HANDSHAKE) return this.onEnded(slot, error)
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

  /** To be called when all results of the last turn are known, before the next one is submitted. */
  endTurn(): void {
    const { sends } = this.out
    for (const slot of this.due) this.#proceed(slot)
    sends.endTurn()
    this.due = sends.beginTurn(false).due
    this.outbox.endTurn()
  }

  /** Closing a direct descriptor does not end operations on it: they have to be cancelled. */
  protected closeLink(slot: number): void {
    const { ring } = this
    if (this.phase[slot] === linkPhase.HANDSHAKE) this.shaking--
    if (this.table.state[slot]! & bit.SENDING) entries.cancel(ring, tag(kind.REST, slot))
    else this.out.drop(slot)
    entries.cancel(ring, tag(kind.RECV, slot))
    entries.close(ring, slot)
    this.table.onClosed(slot)
    this.phase[slot] = linkPhase.NONE
    this.forget(slot)
  }

  /** To be called after the ring is closed. */
  close(): void {
    this.outbox.close()
  }
}
