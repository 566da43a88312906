/** The findings of a load that are known only at its end, and not from its meter. */
import type { FailureName } from '../metrics/meter.ts'
import type { Outage } from './outages.ts'
import type { CameLog, ReplyLog } from './replies.ts'
import type { StageLog } from './stage-log.ts'
import type { ThreadEffort } from './stalls.ts'
import type { WrongBytes } from './wrong-bytes.ts'

/** What one thread found out. Plain data: it crosses threads, and is saved in a part. */
export interface ThreadResult {
  /** The first wrong bytes that the thread received, if any. */
  wrong: WrongBytes | undefined
  /** With HTTP: how many connections failed by each error status. */
  statuses?: Map<number, number>
  /** Why connections failed, in more detail than the class. */
  reasons?: ReadonlyMap<FailureName, string>
  /** The window that was measured, and when the replies came. */
  log: ReplyLog
  /** If the rate changes: the same for the messages of each stage. */
  stages?: StageLog[] | undefined
  /** When its short connections were completed. */
  churn?: CameLog | undefined
  /**
   * The 99th percentile of how late short connections began, counted from when the limit of open
   * connections allowed them to begin.
   */
  churnLateNs?: number | undefined
  /** With reconnect: the outages, in nanoseconds after the beginning of the window. */
  outages?: Outage[] | undefined
  /** How much processor time its thread had. */
  effort: ThreadEffort
}
