/** Counts the hits of faults, and logs them if that is on. */
import { counter, type Meter } from '../metrics/meter.ts'
import type { FaultEvent } from './chain.ts'

/** For `onHit` of a chain. */
export const recordHits =
  (meter: Meter) =>
  (event: FaultEvent): void => {
    meter.counters[counter.faultsInjected]!++
    meter.onFault?.(event)
  }
