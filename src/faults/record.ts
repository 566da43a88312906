/** Records what faults did: counts it, and writes it down where that is wanted. */
import { counter, type Meter } from '../metrics/meter.ts'
import type { FaultEvent } from './chain.ts'

/** For `onHit` of a chain. */
export const recordHits =
  (meter: Meter) =>
  (event: FaultEvent): void => {
    meter.counters[counter.faultsInjected]!++
    meter.onFault?.(event)
  }
