/** The findings of a load at its end, from which the verdict is made. */
import type { Outage } from '../load/outages.ts'
import type { Window } from '../load/replies.ts'
import type { ThreadEffort } from '../load/stalls.ts'
import type { WrongBytes } from '../load/wrong-bytes.ts'
import type { FailureName } from '../metrics/meter.ts'
import type { Snapshot } from '../metrics/snapshot.ts'
import type { Interval, RunConditions } from './result.ts'

export interface Findings {
  /** At the end of the run. */
  total: Snapshot
  window: Window
  wrong: WrongBytes | undefined
  intervals: Interval[]
  /** How much processor time each of the sending threads had. */
  threads: readonly ThreadEffort[]
  openLoop: boolean
  /** How many short connections were achieved, if any were planned. */
  churn?: Pick<Window, 'achieved'> | undefined
  /**
   * How late short connections began, counted from when the limit of open connections allowed them
   * to begin: the highest p99 of all threads.
   */
  churnLateUs?: number
  countingCorruption: boolean
  /** Whether its messages are datagrams. */
  datagrams?: boolean
  /** Whether it is a load on HTTP. */
  http?: boolean
  /** How often each error status came; each thread has entries of its own. */
  statuses?: [status: number, count: number][]
  /** Why connections failed, by class, where more is known. */
  reasons?: [name: FailureName, reason: string][]
  /** With --reconnect: the outages, in nanoseconds after the end of the warm-up. */
  outages?: Outage[] | undefined
  limits: ObjectiveLimits
  conditions: RunConditions
}

/** What objectives allow that would otherwise fail the verdict. */
export interface ObjectiveLimits {
  /** Whether an objective allows this many lost messages; undefined without such an objective. */
  loss?: (lost: number, planned: number) => boolean
  /** Whether there is an objective on the rate. */
  rate: boolean
}
