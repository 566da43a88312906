/**
 * When short connections are due: one plan for the whole load, and each part has its share of it.
 */
import { createPacer, type Arrivals } from './pacer.ts'
import { sizeOf, whole, type Part } from './part.ts'

/** The pace of the whole load. */
export interface ChurnPace {
  ratePerSecond: number
  seed: number
}

export interface ChurnPlan {
  /** When the next short connection of this part is due, in nanoseconds after the start. */
  readonly nextNs: number
  /** Takes that connection out of the plan; returns its number among those of the whole load. */
  take(): number
  /** Takes all connections that are due before an instant; returns how many. */
  takeMany(beforeNs: number): number
}

export const createChurnPlan = (arrivals: Arrivals, pace: ChurnPace, part: Part): ChurnPlan => {
  const { first, step } = part
  const pacer = createPacer(arrivals, { ...pace, connections: 1 }, whole)
  /** The number of the next short connection, among those of the whole load. */
  let number = 0
  const seek = () => {
    for (; number % step !== first; number++) pacer.take()
    plan.nextNs = pacer.nextNs
  }
  const plan = {
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
  return plan
}
