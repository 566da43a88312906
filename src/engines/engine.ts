/** The interface of an engine. */
import type { ResourceLimits } from 'node:worker_threads'
import type { Address } from '../vocabulary/address.ts'
import type { FaultSpec } from '../faults/index.ts'
import type { ThreadFlowsResult } from '../load/direction/thread-flows.ts'
import type { ThreadResult } from '../load/thread-result.ts'
import type { Meter } from '../metrics/meter.ts'
import type { EngineName } from '../vocabulary/engine-names.ts'
import type { Task } from '../task.ts'

export type { ThreadResult } from '../load/thread-result.ts'
/** What a thread found out, whatever it sent. */
export type AnyThreadResult = ThreadResult | ThreadFlowsResult

/** One way of asking the operating system to move bytes. */
export interface Engine {
  readonly name: EngineName
  /** Memory limits of its threads, mainly for young objects of JavaScript. */
  readonly resourceLimits?: ResourceLimits | undefined
  /** Whether each thread has a table for its connections, as large as the limit of descriptors. */
  readonly tabled?: boolean | undefined
  /**
   * Why the engine cannot do this task on this machine, as a sentence. (What it can never do is in
   * the tables.)
   */
  refuses(task: Task): string | undefined
  /** Binds or connects. Whatever can fail for the user's reasons fails here, as a UserError. */
  open(task: Task, meter: Meter): Promise<OpenTask>
}

/** A task that an engine has opened: a server or a load in one thread. */
export interface OpenTask {
  /** The address it listens on or connects to, with the port that the system really gave. */
  readonly address: Address
  /**
   * Moves bytes until stopped or done. A blocking engine blocks its thread in here.
   * @param startNs when a load begins, on this thread's clock: about now
   */
  run(startNs: number): Promise<void>
  /** Ends in good order, or with `now` at once; run() then resolves. */
  stop(now: boolean): void
  /** Sets other faults; only if the task came with faults, or with an empty list. */
  setFaults?(faults: readonly FaultSpec[]): void
  /** The findings of a load, available once run() has resolved. */
  readonly result?: AnyThreadResult | undefined
}
