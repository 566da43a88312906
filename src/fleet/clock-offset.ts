/**
 * How far the coordinator's clock is ahead of that of an agent. The answer was made between the
 * beginning and the end of a round trip. So the quickest of several round trips gives the closest
 * bounds.
 */
import { sharedNowNs } from '../vocabulary/clock.ts'

/** The clock of all files in this folder: it runs evenly, even if the system time is set. */
export const nowMs = (): number => sharedNowNs() / 1e6

/** How many round trips each agent makes to find the offset, and the pauses between them. */
export function tripsFor(agents: number): { trips: number; pauseMs: number } {
  const most = Math.floor(allTrips / agents)
  return {
    trips: Math.min(roundTrips, Math.max(leastTrips, most)),
    pauseMs: agents * perTripMs,
  }
}

const roundTrips = 50
const leastTrips = 10
/**
 * The most round trips of all agents together, so that they take only seconds, however many agents
 * there are.
 */
const allTrips = 5_000
/**
 * The time between two round trips. The coordinator needs less for one, so agents do not wait for
 * each other.
 */
const perTripMs = 0.4

/** How far in the future the start is: far enough for its message to reach every agent. */
export const leadMsFor = (agents: number, errorMs: number): number =>
  200 + 0.5 * agents + 20 * errorMs

export interface Offset {
  offsetMs: number
  errorMs: number
}

export class OffsetFinder {
  #leastMs = Infinity
  #offsetMs = 0
  count = 0

  /** @param atMs the other clock when the answer was made */
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
