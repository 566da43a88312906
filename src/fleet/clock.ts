/**
 * How far the coordinator's clock is ahead of one's own. The quickest of several round trips bounds
 * it best: the answer was made somewhere between its two ends.
 */
import { sharedNowNs } from '../vocabulary/clock.ts'

/** The clock of all files in this folder: it runs evenly, even if the system time is set. */
export const nowMs = (): number => sharedNowNs() / 1e6

export const roundTrips = 50

export interface Offset {
  offsetMs: number
  errorMs: number
}

export class OffsetFinder {
  #leastMs = Infinity
  #offsetMs = 0
  count = 0

  /** @param atMs what the other clock said when it answered */
  answered(sentMs: number, atMs: number, heardMs: number): void {
    this.count++
    const tookMs = heardMs - sentMs
    if (tookMs >= this.#leastMs) return
    this.#leastMs = tookMs
    this.#offsetMs = atMs - (sentMs + heardMs) / 2
  }

  get found(): Offset {
    return { offsetMs: this.#offsetMs, errorMs: this.#leastMs / 2 }
  }
}
