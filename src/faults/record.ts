/** What becomes of what faults did: it is counted. */
import { counter, type Meter } from '../metrics/meter.ts'
import type { FaultEvent } from './chain.ts'

export const recordHits =
  ({ counters }: Meter) =>
  (_event: FaultEvent): void =>
    void counters[counter.faultsInjected]!++
