/**
 * The connections of a load over TLS or WebSocket: makes them, sends bytes, and receives them. The
 * classes that extend this one know what the bytes mean.
 *
 * A slot may have another connection later. What the kernel still says about an older one is
 * recognised by its generation.
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
  /** How many connections there may be at once. */
  slots: number
}

/** The phases of a connection. */
export const linkPhase = { NONE: 0, HANDSHAKE: 1, OPEN: 2, FINISHING: 3, FINISHED: 4 } as const

export abstract class ClientLinks {
  /** How many handshakes are under way. */
  shaking = 0
  /** Called when a handshake is done; with the reason if it has failed and the slot is closed. */
  onShaken: (slot: number, error?: Error) => void = () => {}
  /** Called when one of two handshakes is done: the other one has a time limit of its own. */
  onHalfShaken: (slot: number) => void = () => {}
  protected readonly ring: Ring
  protected readonly bufferRing: BufferRing
  protected readonly table: SlotTable
  protected readonly out: Outgoing
  /** The memory from which bytes are sent. */
  protected readonly outbox: Outbox
  protected readonly phase: Uint8Array
  protected halts = false
  /** Connections to handle when the turn is over. */
  protected due: readonly number[] = []
  /** When the last bytes came. */
  protected cameNs = 0
  readonly #input: LoadInput

  constructor({ libc, ring, input, slots }: LinkParts) {
    const { bufferRing } = input
    this.ring = ring
    this.bufferRing = bufferRing
    this.#input = input
    this.outbox = new Outbox(libc)
    this.table = new SlotTable(slots)
    const memory = { ring, bufferRing, arena: new Arena(libc) }
    // A load always reads, however much is unsent.
    this.out = new Outgoing(memory, this.outbox, this.table, () => {})
    this.phase = new Uint8Array(slots)
  }

  /** Sends the first message of the handshake. */
  protected abstract greet(slot: number): void
  /** Why a handshake failed: it took too long, or the server ended it. */
  protected abstract late(slot: number): Error
  protected abstract cut(slot: number): Error
  /** Bytes came into a buffer. */
  protected abstract came(slot: number, at: number, length: number, now: number): void
  /** The server has ended the connection, or it broke; it is closed now. */
  protected abstract onEnded(slot: number, error?: Error): void
  /** All bytes of a connection are sent. */
  protected abstract onSentAll(slot: number): void
  /** The connection is closed: frees what belongs to it. */
  protected abstract forget(slot: number): void

  /** Begins the handshake of a slot that is connected. */
  shake(slot: number): void {
    this.table.onOpened(slot)
    this.#input.receive(slot, this.table.generation[slot]!)
    this.phase[slot] = linkPhase.HANDSHAKE
    this.shaking++
    this.greet(slot)
  }

  protected opened(slot: number): void {
    this.shaking--
    this.phase[slot] = linkPhase.OPEN
    this.onShaken(slot)
  }

  /** Closes the connections whose handshakes have taken too long. */
  giveUpHandshakes(): void {
    for (const slot of this.phase.keys()) this.giveUpHandshake(slot)
  }

  /** Closes a connection whose handshake has taken too long. */
  giveUpHandshake(slot: number): void {
    if (this.phase[slot] === linkPhase.HANDSHAKE) this.fail(slot, this.late(slot))
  }

  /** Closes a connection in its handshake that is not needed any more. */
  dropHandshake(slot: number): void {
    if (this.phase[slot] === linkPhase.HANDSHAKE) this.closeLink(slot)
  }

  #isCurrent(slot: number, generation: number): boolean {
    return this.table.state[slot] !== 0 && this.table.generation[slot] === generation
  }

  onRecv(slot: number, generation: number, result: number, flags: number, now: number): void {
    const input = this.#input
    const at = result > 0 ? this.out.sends.received(result, flags) + input.payloadAt : 0
    if (!this.#isCurrent(slot, generation)) return
    const length = input.lengthOf(result, flags)
    if (length > 0) {
      this.cameNs = input.cameNs(flags, now)
      this.came(slot, at, length, now)
    } else if (length === 0) this.end(slot)
    else if (length === k.error.NOBUFS) input.grow()
    else if (length !== k.ECANCELED) this.fail(slot, systemError(getSystemErrorName(length)))
    if (flags & k.cqe.MORE || !this.#isCurrent(slot, generation)) return
    if (length > 0 || length === k.error.NOBUFS) input.receive(slot, generation)
  }

  /** The server has ended the connection. */
  protected end(slot: number): void {
    if (this.phase[slot] === linkPhase.HANDSHAKE) this.fail(slot, this.cut(slot))
    else this.onEnded(slot)
  }

  protected fail(slot: number, error: Error): void {
    if (this.phase[slot] !== linkPhase.HANDSHAKE) return this.onEnded(slot, error)
    this.closeLink(slot)
    this.onShaken(slot, error)
  }

  onSendFailed(parity: number, index: number, result: number): void {
    const list = this.out.sends.listOf(parity)
    const slot = list.slot[index]!
    if (!this.#isCurrent(slot, list.generation[index]!)) return
    if (result < 0 && result !== k.error.AGAIN)
      return this.fail(slot, systemError(getSystemErrorName(result)))
    const sent = Math.max(0, result)
    this.out.keep(slot, list.at[index]! + sent, list.length[index]! - sent, true)
    this.out.sends.later(slot)
  }

  onSent(slot: number, generation: number, result: number): void {
    if (!this.#isCurrent(slot, generation)) return this.out.free(slot, generation)
    this.table.state[slot]! &= ~bit.SENDING
    if (result <= 0 && result !== k.ECANCELED)
      return this.fail(slot, systemError(getSystemErrorName(result)))
    if (result > 0) this.out.onRest(slot, result)
    this.#proceed(slot)
  }

  /** Sends the rest, or further bytes, once the results of the sends of the turn are known. */
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
    const generation = this.table.generation[slot]!
    if (this.phase[slot] === linkPhase.HANDSHAKE) this.shaking--
    if (this.table.state[slot]! & bit.SENDING) {
      entries.cancel(ring, tag(kind.REST, slot), generation)
      this.out.setAside(slot)
    } else this.out.drop(slot)
    entries.cancel(ring, tag(kind.RECV, slot), generation)
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
