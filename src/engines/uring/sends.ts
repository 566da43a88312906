/** The sends of this turn and of the last one. If one fails, this finds its bytes. */
import type { BufferRing } from './memory.ts'
import * as entries from './entries.ts'
import { cqe } from './kernel.ts'
import type { SendMemory } from './layer.ts'
import type { Ring } from './ring.ts'

const { BUF_MORE } = cqe

/** The sends of one turn. */
export class SendList {
  count = 0
  readonly slot: Uint32Array
  /** The generation of the connection: meanwhile the slot may have another connection. */
  readonly generation: Uint16Array
  /** Offset in the source. */
  readonly at: Uint32Array
  readonly length: Uint32Array
  /** The sequence number of its entry, to see whether the kernel has taken that yet. */
  readonly sequence: Int32Array
  /** Buffers that were used up in the turn. */
  readonly spent: number[] = []

  constructor(size: number) {
    this.slot = new Uint32Array(size)
    this.generation = new Uint16Array(size)
    this.at = new Uint32Array(size)
    this.length = new Uint32Array(size)
    this.sequence = new Int32Array(size)
  }
}

export interface Turn {
  /** Connections to handle when the turn ends. */
  due: readonly number[]
  /** How many sends the last turn had: a measure of the load. */
  lastSends: number
  /** Whether pages were moved in the last turn. */
  moved: boolean
}

const none: readonly number[] = []

export class Sends {
  readonly #ring: Ring
  readonly #bufferRing: BufferRing
  readonly #source: SendMemory
  /** The most sends of a turn: there is room for a completion of each. */
  readonly #size: number
  /** The turn in which a connection last sent, and where in that turn's list. */
  readonly #lastTurn: Uint32Array
  readonly #lastSend: Uint16Array
  readonly #about: Turn = { due: [], lastSends: 0, moved: false }
  #turn = 1
  #list: SendList
  #submitted: SendList
  #later: number[] = []

  /**
   * @param source the memory from which bytes are sent: the buffers of the ring, or those of a
   * layer
   */
  constructor(ring: Ring, bufferRing: BufferRing, source: SendMemory, slots: number) {
    this.#ring = ring
    this.#bufferRing = bufferRing
    this.#source = source
    this.#size = ring.completions
    this.#lastTurn = new Uint32Array(slots)
    this.#lastSend = new Uint16Array(slots)
    this.#list = new SendList(this.#size)
    this.#submitted = new SendList(this.#size)
  }

  /** Whether a connection has sent in this turn: the result is not known yet. */
  isOpen(slot: number): boolean {
    return this.#lastTurn[slot] === this.#turn
  }

  /** Handles a connection again when the results of this turn's sends are known. */
  later(slot: number): void {
    this.#later.push(slot)
  }

  /** What the waiter needs to know before the next wait; the same object each time. */
  beginTurn(moved: boolean): Turn {
    const turn = this.#about
    turn.moved = moved
    turn.due = none
    if (this.#later.length === 0) return turn
    turn.due = this.#later
    this.#later = []
    return turn
  }

  /** Where received bytes lie. If their buffer is full, it is free after the next turn. */
  received(length: number, flags: number): number {
    const bufferRing = this.#bufferRing
    const id = flags >>> 16
    const at = id * bufferRing.sizeBytes + bufferRing.used[id]!
    if (flags & BUF_MORE) bufferRing.used[id]! += length
    else this.#list.spent.push(id)
    return at
  }

  /**
   * Sends bytes of the source, unless the connection has sent others in this turn: if two sends are
   * submitted together, and only the first finds no room, the second overtakes it. But bytes that
   * lie right behind the others are added to their send.
   */
  send(slot: number, generation: number, at: number, length: number): boolean {
    const list = this.#list
    if (this.#lastTurn[slot] === this.#turn) return this.#extend(this.#lastSend[slot]!, at, length)
    if (list.count === this.#size) return false
    const index = list.count++
    list.slot[index] = slot
    list.generation[index] = generation
    list.at[index] = at
    list.length[index] = length
    list.sequence[index] = this.#ring.tail
    this.#lastTurn[slot] = this.#turn
    this.#lastSend[slot] = index
    entries.sendAtOnce(this.#ring, slot, this.#source.address + at, length, this.#turn, index)
    return true
  }

  /** Lengthens a send if the bytes lie right behind its own, and it is not submitted yet. */
  #extend(index: number, at: number, length: number): boolean {
    const [ring, list] = [this.#ring, this.#list]
    const sequence = list.sequence[index]!
    if (list.at[index]! + list.length[index]! !== at) return false
    if (((ring.tail - sequence) | 0) > ring.pending) return false
    list.length[index]! += length
    ring.sqes[((sequence & (ring.entries - 1)) << 4) + 6] = list.length[index]!
    return true
  }

  /**
   * The list that has a completed send: that of the last turn, or of this one if the queue was
   * full.
   */
  listOf(parity: number): SendList {
    return parity === (this.#turn & 1) ? this.#list : this.#submitted
  }

  /** To be called when everything that the last turn submitted is known: its buffers are free. */
  endTurn(): void {
    const last = this.#submitted
    if (last.spent.length > 0) {
      for (const id of last.spent) this.#bufferRing.give(id)
      last.spent.length = 0
      this.#bufferRing.publish()
    }
    last.count = 0
    this.#submitted = this.#list
    this.#list = last
    this.#about.lastSends = this.#submitted.count
    this.#turn = (this.#turn + 1) >>> 0
  }
}
