/** Bytes that sockets would not take at once, copied for each connection, oldest first. */
import { blockBytes, type Arena } from './memory.ts'

interface UnsentPiece {
  /** The block in the arena, and which bytes of it are still to be sent. */
  id: number
  from: number
  to: number
}

export class Unsent {
  readonly #arena: Arena
  readonly #queues = new Map<number, { pieces: UnsentPiece[]; bytes: number }>()
  /** The bytes of closed connections, by slot and generation. */
  readonly #aside = new Map<number, UnsentPiece[]>()

  constructor(arena: Arena) {
    this.#arena = arena
  }

  /**
   * Copies bytes behind the unsent bytes of a connection, or in front of them. Returns how many are
   * unsent then.
   */
  add(slot: number, bytes: Uint8Array, front: boolean): number {
    let queue = this.#queues.get(slot)
    if (queue === undefined) this.#queues.set(slot, (queue = { pieces: [], bytes: 0 }))
    const made: UnsentPiece[] = []
    let last = front ? undefined : queue.pieces.at(-1)
    for (let done = 0; done < bytes.length;) {
      if (last === undefined || last.to === blockBytes) {
        last = { id: this.#arena.take(), from: 0, to: 0 }
        made.push(last)
      }
      const part = Math.min(bytes.length - done, blockBytes - last.to)
      this.#arena.write(last.id, last.to, bytes.subarray(done, done + part))
      last.to += part
      done += part
    }
    if (front) queue.pieces.unshift(...made)
    else queue.pieces.push(...made)
    queue.bytes += bytes.length
    return queue.bytes
  }

  /** How many bytes of a connection are unsent. */
  bytesOf(slot: number): number {
    return this.#queues.get(slot)?.bytes ?? 0
  }

  /** Where the oldest bytes lie in memory, and how many lie there together. */
  oldest(slot: number): { address: number; length: number } {
    const { id, from, to } = this.#queues.get(slot)!.pieces[0]!
    return { address: this.#arena.address(id) + from, length: to - from }
  }

  /** Removes this many of the oldest bytes. Returns whether any are left. */
  take(slot: number, length: number): boolean {
    const queue = this.#queues.get(slot)!
    const piece = queue.pieces[0]!
    piece.from += length
    queue.bytes -= length
    if (piece.from === piece.to) this.#arena.give(queue.pieces.shift()!.id)
    if (queue.pieces.length === 0) this.#queues.delete(slot)
    return queue.pieces.length > 0
  }

  /**
   * Gives up the unsent bytes of a connection, but keeps them until free(): the kernel may still
   * read them.
   */
  setAside(slot: number, generation: number): void {
    const queue = this.#queues.get(slot)
    if (queue) this.#aside.set(asideKey(slot, generation), queue.pieces)
    this.#queues.delete(slot)
  }

  free(slot: number, generation: number): void {
    const key = asideKey(slot, generation)
    for (const { id } of this.#aside.get(key) ?? []) this.#arena.give(id)
    this.#aside.delete(key)
  }

  /** Drops the bytes: they will not be sent. */
  drop(slot: number): void {
    for (const { id } of this.#queues.get(slot)?.pieces ?? []) this.#arena.give(id)
    this.#queues.delete(slot)
  }
}

const asideKey = (slot: number, generation: number): number => slot * 2 ** 16 + generation
