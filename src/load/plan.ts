/** What one thread is to send, and for how long: plain data, it is copied to other threads. */
import type { Arrivals, Pace } from './pacer.ts'
import type { PayloadSpec } from './payload.ts'
import type { SizeRange } from './sizes.ts'

export interface LoadPlan {
  payload: PayloadSpec
  sizes: SizeRange[]
  /** Decides sizes and arrivals. */
  seed: number
  connections: number
  /** Payloads differ by connection: this thread's are `first`, `first + step`, and so on. */
  firstConnection: number
  connectionStep: number
  /** Messages in flight on each connection, at most. */
  depth: number
  /** Open loop: when this thread's messages are due. */
  pace: Pace | undefined
  arrivals: Arrivals
  /** Short connections, each echoing once; undefined for none. */
  churn: Pace | undefined
  /** Connections that are held and not used. */
  idle: number
  /** Stop after so many messages, the warm-up left out; Infinity for no limit. */
  count: number
  /** Left out of the measurement. */
  warmupMs: number
  /** Stop so long after the warm-up; Infinity for no limit. */
  durationMs: number
  /** How long to wait for what is still under way at the end. */
  drainMs: number
  /** Connecting, or a message unanswered for so long, counts as a failure. */
  timeoutMs: number
  /** Corrupt bytes are counted, and do not end their connection as long as it stays in step. */
  countCorruption: boolean
}
