/** What one thread is to send in which direction, and what it found: plain data. */
import type { Calling } from '../../options/calling.ts'
import type { Report } from '../../wire/direction/trace.ts'
import type { FailureName } from '../../metrics/meter.ts'

/** `up` is from the client to the server. */
export const directions = ['up', 'down', 'both'] as const
export type Direction = (typeof directions)[number]

export interface ThreadFlows {
  direction: Direction
  /** How many flows this thread has; they are numbered `first`, `first + step`, and so on. */
  flows: number
  first: number
  step: number
  seed: number
  /** The size of each frame or datagram. */
  sizeBytes: number
  /** The rate of each flow in each direction; undefined: as fast as possible. */
  ratePerSecond: number | undefined
  warmupMs: number
  durationMs: number
  drainMs: number
  timeoutMs: number
  calling: Calling
}

/** What the kernel of a sender knows of its connection (TCP_INFO), at an instant of the run. */
export interface TcpSample {
  atMs: number
  retransmits: number
  rttUs: number
  windowBytes: number
}

/** How many bytes a receiver had at an instant, in milliseconds on its own clock. */
export type Mark = readonly [atMs: number, bytes: number]

/** What is known of one direction of a flow. */
export interface FoundDirection {
  /** How many bytes were sent; undefined if the server sent them, and did not report the number. */
  sentBytes: number | undefined
  /**
   * On a stream: whether both ends have reported how much was sent, so that nothing can be under
   * way.
   */
  ended?: boolean
  /** How long data was awaited: until the run ended, or the flow broke. */
  awaitedMs?: number | undefined
  /** The last report of the receiver; undefined if there was none. */
  report: Report | undefined
  marks: Mark[]
  /** A sample for each second, if the system has them. */
  tcp?: TcpSample[]
  /** With datagrams: how many were sent, without those of the warm-up. */
  measured?: number
  /** For datagrams: the 99th percentile of how late the sender itself was. */
  lateUs?: number
}

/** What a flow found. */
export interface FoundFlow {
  flow: number
  up?: FoundDirection | undefined
  down?: FoundDirection | undefined
  /** Whether the end of the flow had not come when the drain was over. */
  unfinished: boolean
  failure?: FailureName | undefined
  reason?: string | undefined
}

/** What one thread found out. */
export interface ThreadFlowsResult {
  flows: FoundFlow[]
}
