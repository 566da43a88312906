/** Accepts clients: many at a time while there is plenty of room, one by one when there is not. */
import * as entries from './entries.ts'
import { kind, tag } from './entries.ts'
import { cqe, ECANCELED, error } from './kernel.ts'
import type { Ring } from './ring.ts'

/**
 * With less room than this, clients are accepted one by one. After the decision to stop, as many
 * clients may still be accepted as there are completions in a turn; this is more.
 */
const plenty = 16_384

export class Admission {
  /** How many clients were accepted so far. */
  admitted = 0
  readonly #ring: Ring
  readonly #listenFd: number
  readonly #onFull: () => void
  #free: number
  /** What the kernel accepts at present: no client, the next one, or all. */
  #asked: 'none' | 'one' | 'all' = 'none'
  #closed = true
  #failed = false

  /** @param onFull called when the last free place is taken, and accepting stops */
  constructor(ring: Ring, listenFd: number, capacity: number, onFull: () => void) {
    this.#ring = ring
    this.#listenFd = listenFd
    this.#free = capacity
    this.#onFull = onFull
  }

  /** Whether no place is free, so that other clients wait in the backlog. */
  get isFull(): boolean {
    return this.#free === 0 && !this.#closed
  }

  open(): void {
    this.#closed = false
    this.#ask()
  }

  #ask(): void {
    if (this.#closed || this.#failed || this.#asked !== 'none' || this.#free === 0) return
    this.#asked = this.#free > plenty ? 'all' : 'one'
    entries.accept(this.#ring, this.#listenFd, this.#asked === 'all')
  }

  #cancel(): void {
    entries.cancel(this.#ring, tag(kind.ACCEPT))
  }

  /** Handles a completion of accept; returns whether a client was accepted. */
  onAccept(result: number, flags: number): boolean {
    if (!(flags & cqe.MORE)) this.#asked = 'none'
    if (result >= 0) {
      this.admitted++
      this.#free--
      if (this.#free === 0) this.#onFull()
      if (this.#asked === 'all' && this.#free <= plenty) this.#cancel()
    } else if (result === error.INVAL) {
      this.#closed = true
    } else if (result !== ECANCELED) {
      // No descriptor, or no memory: tries again at the next tick. To try at once would be a busy
      // loop.
      this.#failed = true
    }
    this.#ask()
    return result >= 0
  }

  /** A client has left: there is a free place. */
  onLeft(): void {
    this.#free++
    this.#ask()
  }

  onTick(): void {
    this.#failed = false
    this.#ask()
  }

  /** Accepts no more clients. */
  close(): void {
    this.#closed = true
    if (this.#asked !== 'none') this.#cancel()
  }
}
