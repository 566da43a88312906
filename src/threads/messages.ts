/** The messages between threads. Frequent data goes through the meter. */
import type { Address } from '../vocabulary/address.ts'
import type { AnyThreadResult } from '../engines/engine.ts'
import type { UserErrorData } from '../vocabulary/errors.ts'
import type { FaultSpec } from '../faults/index.ts'
import type { Stop } from '../metrics/meter.ts'
import type { Task } from '../task.ts'
import type { FaultBatch } from './fault-feed.ts'

/** What a thread begins with. */
export interface ThreadInput {
  task: Task
  memory: SharedArrayBuffer
}

export type FromThread =
  /** The task is bound or connected: from now on only the network can fail. */
  | { kind: 'ready'; address: Address }
  /** The task could not be opened, and the user can correct it. */
  | { kind: 'failed'; error: UserErrorData }
  /** The faults that were sent last are in force. */
  | { kind: 'faultsSet' }
  /** Records of faults, if the task wants them; to be answered with `taken`. */
  | { kind: 'faults'; batch: FaultBatch }
  | { kind: 'finished'; result: AnyThreadResult | undefined }

export type ToThread =
  /** `run`: the instant at which all threads begin, in nanoseconds on the clock that they share. */
  { run: number } | { stop: Stop } | { faults: readonly FaultSpec[] } | 'taken'
