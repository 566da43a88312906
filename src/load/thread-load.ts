/**
 * What one thread is to send, and for how long: plain data, since it is copied to other threads.
 */
import type { ResolvedOf } from '../options/form.ts'
import type { benchOptions } from './options.ts'
import type { ChurnPace } from './churn-plan.ts'
import type { Pace } from './pacer.ts'
import type { PayloadSpec } from './payload.ts'
import type { SizeRange } from './sizes.ts'

type Options = ResolvedOf<typeof benchOptions>
/** Options of a load as a whole, which become something else for a thread. */
type WholeLoad =
  | 'sizeBytes'
  | 'ratePerSecond'
  | 'churnPerSecond'
  | 'threads'
  | 'engine'
  | 'expect'
  | 'stages'
  | 'slice'
  | 'startAt'
  | 'agents'

/** All options of a load, with its payload and sizes computed. */
export interface Load extends Omit<Options, 'sizeBytes'> {
  payload: PayloadSpec
  sizes: SizeRange[]
}

/** The options are those of the load; `connections`, `idle` and `count` are this thread's share. */
export interface ThreadLoad extends Omit<Options, WholeLoad> {
  payload: PayloadSpec
  sizes: SizeRange[]
  /** Payloads differ by connection: this thread's are `first`, `first + step`, and so on. */
  firstConnection: number
  connectionStep: number
  /** Open loop: when the messages of all connections are due. */
  pace: Pace | undefined
  /** An open loop with a count: its part of the plan, in nanoseconds, of all connections. */
  countedNs: { from: number; until: number } | undefined
  /** The short connections of all threads; undefined for none. */
  churn: ChurnPace | undefined
}
