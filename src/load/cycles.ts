/** When short connections are due: one plan of all, of which each part takes every so-manieth. */
import { createPacer, type Arrivals } from './pacer.ts'
import { sizeOf, whole, type Part } from './part.ts'

/** Of the whole load. */
export interface CyclePace {
  ratePerSecond: number
  seed: number
}

export interface Cycles {
  /** When the next one of this part is due, in nanoseconds after the start. */
  readonly nextNs: number
  /** Takes it: its number among all of the whole load. */
  take(): number
  /** Takes all that are due before an instant, without a look at each: how many. */
  takeMany(beforeNs: number): number
}

export const createCycles = (arrivals: Arrivals, pace: CyclePace, part: Part): Cycles => {
  const { first, step } = part
  const pacer = createPacer(arrivals, { ...pace, connections: 1 }, whole)
  /** The number of the next of all. */
  let number = 0
  const seek = () => {
    for (; number % step !== first; number++) pacer.take()
    cycles.nextNs = pacer.nextNs
  }
  const cycles = {
    nextNs: 0,
    take() {
      pacer.take()
      number++
      const taken = number - 1
      seek()
      return taken
    },
    takeMany(beforeNs: number) {
      const from = number
      pacer.takeMany(beforeNs, Infinity, (_, count) => (number += count))
      const taken = sizeOf(part, number) - sizeOf(part, from)
      seek()
      return taken
    },
  }
  seek()
  return cycles
}
