/** The bytes on their way to the peers: the sends of a turn, and bytes that wait for room. */
import { unsentMaxBytes } from '../backpressure.ts'
import type { Arena, BufferRing } from './memory.ts'
import * as entries from './entries.ts'
import type { SendMemory } from './layer.ts'
import type { Ring } from './ring.ts'
import { Sends } from './sends.ts'
import * as bit from './state.ts'
import type { SlotTable } from './table.ts'
import { Unsent } from './unsent.ts'

export class Outgoing {
  readonly sends: Sends
  readonly #ring: Ring
  /** Where the bytes of sends lie. */
  readonly #source: SendMemory
  readonly #unsent: Unsent
  readonly #table: SlotTable
  readonly #onMuch: (slot: number) => void
  readonly #finishing = new Set<number>()

  /** @param onMuch called when a connection has so much unsent that it must not be read for now */
  constructor(
    { ring, bufferRing, arena }: { ring: Ring; bufferRing: BufferRing; arena: Arena },
    source: SendMemory,
    table: SlotTable,
    onMuch: (slot: number) => void,
  ) {
    this.#ring = ring
    this.#source = source
    this.#table = table
    this.#onMuch = onMuch
    this.sends = new Sends(ring, bufferRing, source, table.state.length)
    this.#unsent = new Unsent(arena)
  }

  /**
   * Sends bytes of the source in this turn, or keeps them for later. Returns whether it sends them.
   * @param stays whether they stay where they are until the sends of this turn are known
   */
  send(slot: number, at: number, length: number, stays = true): boolean {
    const waits = this.#table.state[slot]! & bit.WAITING
    const generation = this.#table.generation[slot]!
    if (!waits && stays && this.sends.send(slot, generation, at, length)) return true
    this.keep(slot, at, length, false)
    if (!waits) this.sends.later(slot)
    return false
  }

  /** Sends bytes that lie outside the source, after all unsent ones. */
  sendBytes(slot: number, bytes: Uint8Array): void {
    const waits = this.#table.state[slot]! & bit.WAITING
    if (this.add(slot, bytes, false) > unsentMaxBytes) this.#onMuch(slot)
    if (!waits) this.sends.later(slot)
  }

  /** Copies unsent bytes of the source; `front`: they are older than all other unsent bytes. */
  keep(slot: number, at: number, length: number, front: boolean): void {
    const bytes = this.#source.bytes.subarray(at, at + length)
    if (this.add(slot, bytes, front) > unsentMaxBytes) this.#onMuch(slot)
  }

  /** Like keep(), for bytes outside the source. Returns how many are unsent then. */
  add(slot: number, bytes: Uint8Array, front: boolean): number {
    if (bytes.length === 0) return 0
    this.#table.state[slot]! |= bit.WAITING
    return this.#unsent.add(slot, bytes, front)
  }

  unsentOf(slot: number): number {
    return this.#unsent.bytesOf(slot)
  }

  /** Sends the oldest unsent bytes, and waits until they are sent. */
  sendRest(slot: number): void {
    const { address, length } = this.#unsent.oldest(slot)
    this.#table.state[slot]! |= bit.SENDING
    entries.send(this.#ring, slot, address, length, this.#table.generation[slot])
  }

  /** The oldest `length` of the unsent bytes were sent. */
  onRest(slot: number, length: number): void {
    if (!this.#unsent.take(slot, length)) this.#table.state[slot]! &= ~bit.WAITING
  }

  /** Sends FIN. */
  finish(slot: number): void {
    this.#finishing.add(slot)
    entries.finish(this.#ring, slot)
  }

  /**
   * Whether the FIN of a slot is on its way. The system sends it on a thread of its own, which
   * looks into the slot later. Until then no other connection may use the slot.
   */
  isFinishing(slot: number): boolean {
    return this.#finishing.has(slot)
  }

  onFinished(slot: number): void {
    this.#finishing.delete(slot)
  }

  /** Drops the unsent bytes of a connection. */
  drop(slot: number): void {
    this.#unsent.drop(slot)
    this.#table.state[slot]! &= ~bit.WAITING
  }

  /**
   * Gives up the unsent bytes while a send is in flight, but keeps their memory: the kernel may
   * read it until the send has ended.
   */
  setAside(slot: number): void {
    this.#unsent.setAside(slot, this.#table.generation[slot]!)
  }

  /** A send of a connection that is closed has ended. */
  free(slot: number, generation: number): void {
    this.#unsent.free(slot, generation)
  }
}
