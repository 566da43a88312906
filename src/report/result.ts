/**
 * The result of a load as plain JSON: what `--json` prints, what is saved and compared. Its keys
 * are stable; docs/result.schema.json describes them for machines. Times are microseconds.
 */
import { resultHistograms, type AlwaysInResult } from '../metrics/counters.ts'
import type { FailureName } from '../metrics/meter.ts'
import type { Cause } from '../load/wrong-bytes.ts'
import type { GeneratorFigures } from './generator-form.ts'
import type { PartSection, PartFigures } from './part-form.ts'

export type * from './generator-form.ts'

/** Changes only when a key changes its meaning or goes away. */
export const resultFormat = 'yodel-result-2'

/** Nearest-rank percentiles over all samples; null where there are too few (report/rank). */
export interface Distribution {
  count: number
  min: number | null
  mean: number | null
  p50: number | null
  p90: number | null
  p99: number | null
  p999: number | null
  p9999: number | null
  p99999: number | null
  max: number | null
}

/** Names of the distributions that a result always has. */
export type DistributionName = `${AlwaysInResult}Us`
export const distributionNames = resultHistograms('always').map(name => `${name}Us`)
/** A distribution by its name; undefined if the result has no samples of it, or is too old. */
export const distributionIn = (result: RunResult, name: string): Distribution | undefined =>
  (result as unknown as Record<string, Distribution | undefined>)[name]

/** What happened in a second of the run; a shorter remainder has joined the second before it. */
export interface Interval {
  /** When it began, in seconds after the end of the warm-up, and how long it was. */
  second: number
  seconds: number
  /** Messages. */
  sent: number
  received: number
  bytesReceived: number
  /** Failures of all classes. */
  errors: number
  ratePerSecond: number
  responseUs: Distribution
}

/** What happened in a stage: of the messages that are planned in it, whenever they came back. */
export interface StageFigures {
  /** As it was written. */
  stage: string
  /**
   * When the stage began by the plan, in seconds after the end of the warm-up, and how long it was.
   */
  second: number
  seconds: number
  planned: number
  /** Messages that were sent during the stage, by the clock. */
  sent: number
  received: number
  /** Failures of all classes, by the clock; those of the drain are of the last stage. */
  errors: number
  /** Replies to its messages, per second, in an interval as long as the stage. */
  ratePerSecond: number
  responseUs: Distribution
  /** The objectives that were missed in the stage, and what was measured. */
  missed: { objective: string; measuredText: string }[]
}

export interface FirstWrong {
  connection: number
  /** Offset in that connection's stream of the first wrong byte. */
  offset: number
  /** Up to 32 bytes from that offset on, in hex; `received` is empty if nothing came. */
  expected: string
  received: string
  /** Up to 16 right bytes before them, in hex. */
  before: string
  cause: Cause
  /** The cause in a sentence, with its numbers. */
  detail: string
}

/** What became of datagrams, the warm-up left out. */
export interface DatagramFigures {
  /** Datagrams that were sent, and never came back. */
  lost: number
  /** Datagrams that came back after the timeout; they count as `messages.lost` too. */
  late: number
  /** Datagrams that came back once more. */
  duplicated: number
  /** Datagrams that came back after one that was sent later (RFC 4737 section 3.3). */
  reordered: number
  /** Datagrams that came back with other bytes, or that were never sent; warm-up included. */
  corrupted: number
}

/** What became of short connections, those of the warm-up left out. */
export interface ChurnFigures {
  /** Due within the window. */
  planned: number
  /**
   * Connections completed in an interval as long as the window, which begins with the first one;
   * not in older files.
   */
  achieved?: number
  /** Completed, from connect to close, in the drain too. */
  completed: number
  /** From the planned instant to the close. */
  durationUs: Distribution
}

/** What became of connections to a server that may close them between messages. */
export interface HttpFigures {
  /** How often the client connected again, after the warm-up. */
  reconnects: number
  /** Messages that the server left unanswered, and that were sent again on a new connection. */
  sentAgain: number
  /** What each reconnect took; it lies within the response time of the message that waited. */
  reconnectUs: Distribution
  /** How many connections failed by each error status. */
  statuses: Record<string, number>
}

/** Outages that overlap: connections that broke, were opened again, and had an echo again. */
export interface OutageRow {
  /** When the first broke, in seconds after the end of the warm-up; below 0 within it. */
  beginSeconds: number
  /** When the last connection was open again, and when it had an echo; null if one did not. */
  openSeconds: number | null
  endSeconds: number | null
  /** The most connections that were without an echo at the same time. */
  connections: number
  /** Messages of the window: unanswered or waiting at a break, or due before it was open again. */
  lost: number
  /** Why connections broke, and why dials failed, with how often. */
  breaks: Partial<Record<FailureName, number>>
  failedDials: Partial<Record<FailureName, number>>
  /** The longest that the first message took, from its planned instant; null before any echo. */
  firstEchoUs: number | null
}

/** For a load that opens broken connections again. */
export interface OutageFigures {
  /** How often a connection was open again. */
  reconnects: number
  /** Messages that outages cost; they are in `messages.lost`. */
  lost: number
  /** In the order of time. */
  rows: OutageRow[]
}

/** An objective (`--expect 'p99<5ms'`) and what became of it. */
export interface ObjectiveResult {
  /** As it was written. */
  objective: string
  /** In the unit of the objective: microseconds, a fraction, a count or a rate; null if unknown. */
  measured: number | null
  /** The measured value as text. */
  measuredText: string
  held: boolean
  /**
   * Missed because of the generator: without the hold-up the objective would have been met; or the
   * generator was the limit, so that nothing is known of the server.
   */
  ownFault?: true
}

export interface RunConditions {
  command: 'bench' | 'flood'
  address: string
  engine: string
  threads: number
  seed: number
  /** All options, as the library takes them; Infinity is null. */
  options: Record<string, unknown>
  /** The command that repeats the run. */
  reproduce: string
  /** ISO 8601, when sending began. */
  startedAt: string
  versions: Record<string, string>
  machine: {
    system: string
    cpu: string
    cores: number
    memoryBytes: number
    /** The only core on which both server and generator may run, if there is one. */
    sharedCore?: number
  }
  /** Only in a merged result: its slices. */
  parts?: PartFigures[]
}

export interface RunResult {
  format: typeof resultFormat
  /** False if the generator was the limit: then the times and the rate are not the server's. */
  valid: boolean
  /** Why it is not valid, and what to change: a sentence or two each. */
  invalidBecause: string[]
  verdict: 'pass' | 'fail'
  /** Why it failed, a sentence each. */
  failedBecause: string[]
  /** Further notes for reading the figures, a sentence each. */
  notes: string[]
  /** The length of the window, without warm-up and drain. */
  seconds: number
  /** Rates over the length of the window; see docs/figures.md. */
  rates: {
    /** The rate of the plan; null in a closed loop, which has none. */
    plannedPerSecond: number | null
    /** Taken by the system within the window; null if the rate is not known. */
    sentPerSecond: number | null
    /** Replies in an interval as long as the window, from the first reply on; null as above. */
    achievedPerSecond: number | null
  }
  /** Messages of the window: planned = received + lost + unfinished. */
  messages: {
    /** Due within the window, whatever became of their connections. */
    planned: number
    /** Taken by the system. */
    sent: number
    /** Came back whole, and every byte was right. */
    received: number
    /** Planned and not received, when the drain was over. */
    lost: number
    /** Sent, and given up at the end of the drain although their timeout had not come. */
    unfinished: number
    wrong: number
    /** Planned messages that were due while their connection had `--depth` messages in flight. */
    deferred: number
  }
  bytes: { sent: number; received: number }
  /** Only if messages are datagrams. */
  datagrams?: DatagramFigures
  /** Only with http and https. */
  http?: HttpFigures
  /** Only with `--reconnect`. */
  outages?: OutageFigures
  /** From the planned instant until the message has come back whole. */
  responseUs: Distribution
  /** From the actual send until the message has come back whole. */
  serviceUs: Distribution
  /** How late the generator was; without a sample in a closed loop, which has no plan. */
  latenessUs: Distribution
  connectUs: Distribution
  /** Short connections; null without `--churn`. */
  churn: ChurnFigures | null
  /**
   * Wrong bytes in streams that stayed in step, the warm-up included; null without
   * `--count-corruption`, where the first wrong byte ends its connection.
   */
  corruption: { corruptedBytes: number; flippedBits: number } | null
  errors: Record<FailureName, number>
  firstWrong: FirstWrong | null
  /** Empty without `--expect`. */
  expectations: ObjectiveResult[]
  /** Second by second, the warm-up left out. */
  intervals: Interval[]
  /** Only with `--stages`: each stage that began. */
  stages?: StageFigures[]
  /** `[value, count]` of each bucket that is not empty, in ascending order. */
  histograms: Record<DistributionName, [us: number, count: number][]>
  /** How exact the times are: samples below `lowestUs` are counted as that. */
  resolution: { relativeError: number; lowestUs: number; highestUs: number }
  generator: GeneratorFigures
  run: RunConditions
  /** Only in a slice: what `yodel merge` needs. */
  part?: PartSection
}
