/** What one thread is to send in which direction, and what it found: plain data. */
import type { Calling } from '../../options/calling.ts'
import type { Report } from '../../wire/direction/trace.ts'
import type { FailureName } from '../../metrics/meter.ts'

/** Up is from the client. */
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

/** What the system says of the connection of a sender (TCP_INFO), at an instant of the run. */
export interface TcpSample {
  atMs: number
  retransmits: number
  rttUs: number
  windowBytes: number
}

/** How much a receiver had at an instant: milliseconds on its own clock, bytes. */
export type Mark = readonly [atMs: number, bytes: number]

/** What is known of one direction of a flow. */
export interface FoundDirection {
  /** Undefined: the server, which sent it, did not say. */
  sentBytes: number | undefined
  /** On a stream: both ends have said how much it was, so nothing can be under way. */
  ended?: boolean
  /** How long it was awaited: until the run ended, or broke. */
  awaitedMs?: number | undefined
  /** The last of the receiver; undefined: it said nothing. */
  report: Report | undefined
  marks: Mark[]
  /** Each second, where the system tells it. */
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
  /** Its end did not come before the drain was over. */
  unfinished: boolean
  failure?: FailureName | undefined
  reason?: string | undefined
}

/** What one thread found out. */
export interface ThreadFlowsResult {
  flows: FoundFlow[]
}
