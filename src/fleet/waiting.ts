/** How long a coordinator waits for a silent agent. */
import type { Load } from '../load/thread-load.ts'
import type { Member } from './member.ts'
import { missedMax, secondMs } from './messages.ts'

/** How late a snapshot may be before it counts as missing. */
const graceMs = 500
/** The longest pause of an agent before it connects to the broker again, and some time for it. */
const backWithinMs = 6_000

export interface Situation {
  nowMs: number
  /** The time since the start. */
  elapsedMs: number
  stopped: 'drain' | 'now' | undefined
  brokerDown: boolean
  /** --agent-timeout */
  timeoutMs: number
  load: Load
}

/** Whether an agent counts as lost. */
export const isSilent = ({ delivered, loss, heardMs }: Member, nowMs: number): boolean =>
  !delivered && !loss && nowMs - heardMs > missedMax * secondMs + graceMs

/** Whether nothing more will come from it. */
export function isOver({ delivered, loss, heardMs }: Member, situation: Situation): boolean {
  if (delivered || loss?.failed) return true
  const { nowMs, elapsedMs, stopped, brokerDown, timeoutMs: mostMs, load } = situation
  // An agent whose connection broke, and that still runs, connects again within that time.
  const timeoutMs = loss?.isGone ? Math.min(mostMs, backWithinMs) : mostMs
  const silentMs = nowMs - heardMs
  if (stopped === 'now') return silentMs > secondMs
  if (!loss && !brokerDown) return false
  const { warmupMs, durationMs, drainMs } = load
  const plannedMs = durationMs === Infinity ? 0 : warmupMs + durationMs + drainMs
  // By then the agent has written its part to a file.
  if (brokerDown) return silentMs > timeoutMs && elapsedMs > plannedMs
  return silentMs > timeoutMs
}
