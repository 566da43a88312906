/** Bytes that sockets would not take at once, copied aside by connection, oldest first. */
import { blockBytes, type Arena } from './buffers.ts'

interface Piece {
  /** Its block in the arena, and what of it is still to be sent. */
  id: number
  from: number
  to: number
}

export class Aside {
  readonly #arena: Arena
  readonly #rests = new Map<number, { pieces: Piece[]; bytes: number }>()

  constructor(arena: Arena) {
    this.#arena = arena
  }

  /** Copies bytes behind those that are there, or in front of them; how many there are then. */
  add(slot: number, bytes: Uint8Array, front: boolean): number {
    let rest = this.#rests.get(slot)
    if (rest === undefined) this.#rests.set(slot, (rest = { pieces: [], bytes: 0 }))
    const made: Piece[] = []
    let last = front ? undefined : rest.pieces.at(-1)
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
    if (front) rest.pieces.unshift(...made)
    else rest.pieces.push(...made)
    rest.bytes += bytes.length
    return rest.bytes
  }

  /** How many there are. */
  bytesOf(slot: number): number {
    return this.#rests.get(slot)?.bytes ?? 0
  }

  /** Where the oldest bytes lie in memory, and how many lie there together. */
  oldest(slot: number): { address: number; length: number } {
    const { id, from, to } = this.#rests.get(slot)!.pieces[0]!
    return { address: this.#arena.address(id) + from, length: to - from }
  }

  /** So many of the oldest bytes are gone; whether any are left. */
  take(slot: number, length: number): boolean {
    const rest = this.#rests.get(slot)!
    const piece = rest.pieces[0]!
    piece.from += length
    rest.bytes -= length
    if (piece.from === piece.to) this.#arena.give(rest.pieces.shift()!.id)
    if (rest.pieces.length === 0) this.#rests.delete(slot)
    return rest.pieces.length > 0
  }

  /** They will not be sent. */
  drop(slot: number): void {
    for (const { id } of this.#rests.get(slot)?.pieces ?? []) this.#arena.give(id)
    this.#rests.delete(slot)
  }
}
