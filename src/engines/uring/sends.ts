/** The sends of one turn, to find the bytes of one that did not go through. */
import type { Ring } from './ring.ts'

export class Sends {
  count = 0
  /** How many there may be: each can complete. */
  readonly size: number
  readonly slot: Uint32Array
  /** Of the connection in that slot: the slot may have been given to another meanwhile. */
  readonly generation: Uint16Array
  /** Offset in the pool. */
  readonly at: Uint32Array
  readonly length: Uint32Array
  /** Of its entry, to see whether the kernel has taken it yet. */
  readonly #sequence: Int32Array
  /** Buffers that were used up in the turn. */
  readonly spent: number[] = []

  constructor(size: number) {
    this.size = size
    this.slot = new Uint32Array(size)
    this.generation = new Uint16Array(size)
    this.at = new Uint32Array(size)
    this.length = new Uint32Array(size)
    this.#sequence = new Int32Array(size)
  }

  /** Notes the send whose entry comes next; its index. */
  add(ring: Ring, slot: number, generation: number, at: number, length: number): number {
    const index = this.count++
    this.slot[index] = slot
    this.generation[index] = generation
    this.at[index] = at
    this.length[index] = length
    this.#sequence[index] = ring.tail
    return index
  }

  /** Lengthens a send if the bytes lie right behind its own, and it is not submitted yet. */
  extend(ring: Ring, index: number, at: number, length: number): boolean {
    const sequence = this.#sequence[index]!
    if (this.at[index]! + this.length[index]! !== at) return false
    if (((ring.tail - sequence) | 0) > ring.pending) return false
    this.length[index]! += length
    ring.sqes[((sequence & (ring.entries - 1)) << 4) + 6] = this.length[index]!
    return true
  }
}
