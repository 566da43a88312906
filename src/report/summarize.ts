/** From what was counted to the result. */
import { bucketMiddleNs, highestNs, lowestNs } from '../metrics/histogram.ts'
import type { Histogram } from '../metrics/histogram.ts'
import { resultHistograms } from '../metrics/counters.ts'
import { failureNames } from '../metrics/meter.ts'
import type { Snapshot } from '../metrics/snapshot.ts'
import type { Window } from '../load/replies.ts'
import type { Findings } from './findings.ts'
import { generatorFigures } from './generator.ts'
import { outageFigures } from './outages.ts'
import { judgeOwn } from './own.ts'
import { leastBeyond, supported } from './rank.ts'
import { formatDuration } from '../vocabulary/units.ts'
import { largeBytes, proxyHint } from '../vocabulary/transport.ts'
import { failureReasons } from './reasons.ts'
import { resultFormat } from './result.ts'
import type {
  ChurnFigures,
  DatagramFigures,
  Distribution,
  DistributionName,
  FirstWrong,
  GeneratorFigures,
  HttpFigures,
  RunResult,
} from './result.ts'
import { noteSteps } from './steps.ts'
import { judgeGenerator } from './validity.ts'
import type { WrongBytes } from '../load/wrong-bytes.ts'

export function summarize(findings: Findings): RunResult {
  const { total, openLoop, conditions } = findings
  const { seconds } = findings.window
  const unfinished = total.messagesUnfinished
  const lost = total.messagesPlanned - total.messagesReceived - unfinished
  const timed = openLoop ? total : { ...total, service: total.response }
  const result: RunResult = {
    format: resultFormat,
    valid: true,
    invalidBecause: [],
    verdict: 'pass',
    failedBecause: [],
    notes: [],
    seconds,
    rates: ratesOf(findings),
    messages: {
      planned: total.messagesPlanned,
      sent: total.messagesSent,
      received: total.messagesReceived,
      lost,
      unfinished,
      wrong: total.wrongBytes,
      deferred: total.messagesDeferred,
    },
    bytes: {
      sent: total.bytesOut - total.warmupBytesOut,
      received: total.bytesIn - total.warmupBytesIn,
    },
    ...(findings.datagrams && { datagrams: datagramFigures(total) }),
    ...(findings.http && { http: httpFigures(total, findings.statuses ?? []) }),
    ...(findings.outages && { outages: outageFigures(findings.outages, total.reopened) }),
    ...mapped(timed, distribution),
    churn: findings.churn ? churnFigures(total, findings.churn) : null,
    corruption: findings.countingCorruption
      ? { corruptedBytes: total.corruptedBytes, flippedBits: total.flippedBits }
      : null,
    errors: Object.fromEntries(failureNames.map(name => [name, total[name]])) as never,
    firstWrong: findings.wrong ? firstWrong(findings.wrong) : null,
    expectations: [],
    intervals: findings.intervals,
    histograms: mapped(timed, buckets),
    resolution: {
      relativeError,
      lowestUs: lowestNs / 1e3,
      highestUs: highestNs / 1e3,
    },
    generator: generatorFigures(findings.threads, touchedBy(total)),
    run: conditions,
  }
  result.failedBecause = failureReasons(result, findings)
  if (findings.http) result.notes.push(...proxyNote(result))
  result.notes.push(...drainNote(result))
  judgeOwn(result)
  judgeGenerator(result, { lateUs: findings.churnLateUs ?? 0, times: total.churn })
  noteSteps(result)
  return withVerdict(result)
}

/** Makes an entry for each distribution that this result contains under its own name. */
function mapped<T>(total: Snapshot, make: (histogram: Histogram) => T) {
  const sometimes = resultHistograms('sometimes').filter(name => total[name].count > 0)
  return Object.fromEntries(
    [...resultHistograms('always'), ...sometimes].map(name => [`${name}Us`, make(total[name])]),
  ) as Record<DistributionName, T>
}

function ratesOf({ total, window, openLoop }: Findings): RunResult['rates'] {
  const perSecond = (count: number) => (window.seconds > 0 ? count / window.seconds : 0)
  const isKnown = !window.counted || saysRate(window, total.response)
  return {
    plannedPerSecond: openLoop ? perSecond(total.messagesPlanned) : null,
    sentPerSecond: isKnown ? perSecond(window.sent) : null,
    achievedPerSecond: isKnown ? perSecond(window.achieved) : null,
  }
}

/** How exact a quantile of a histogram is. */
const relativeError = 0.0005

/**
 * Whether the rate is known. If the messages decide the length of the window, enough replies must
 * have come, and the window must be as long as a round trip.
 */
function saysRate({ seconds, achieved }: Window, response: Histogram): boolean {
  const [medianNs] = response.quantiles([0.5])
  return achieved >= leastBeyond && seconds * 1e9 >= medianNs! * (1 - relativeError)
}

/** A note if large messages hung, or a proxy gave up and answered by itself. */
function proxyNote({ errors, http, run }: RunResult): string[] {
  const sizes = (run.options.sizes ?? []) as { maxBytes: number }[]
  if (!sizes.some(({ maxBytes }) => maxBytes >= largeBytes)) return []
  const hung = errors.timedOut + errors.closedEarly + errors.unanswered
  const byProxy = Object.keys(http?.statuses ?? {}).some(status => /^50[24]$/.test(status))
  return hung > 0 || byProxy ? [proxyHint] : []
}

/** Datagrams that were on their way at the end are lost, too. */
function drainNote({ datagrams, run }: RunResult): string[] {
  const { drainMs, timeoutMs } = run.options as { drainMs: number | null; timeoutMs: number }
  if (!datagrams || datagrams.lost === 0 || drainMs === null || !(drainMs < timeoutMs)) return []
  return [
    `The drain (${formatDuration(drainMs)}) is shorter than the timeout ` +
      `(${formatDuration(timeoutMs)}): what was under way at the end counts as lost.`,
  ]
}

const churnFigures = (total: Snapshot, churn: Pick<Window, 'achieved'>): ChurnFigures => ({
  planned: total.churnPlanned,
  achieved: churn.achieved,
  completed: total.churnCompleted,
  durationUs: distribution(total.churn),
})

function datagramFigures(total: Snapshot): DatagramFigures {
  const { messagesSent, messagesReceived, datagramsLate: late, datagramsCorrupted } = total
  return {
    lost: messagesSent - messagesReceived - late - datagramsCorrupted,
    late,
    duplicated: total.datagramsDuplicated,
    reordered: total.datagramsReordered,
    corrupted: total.wrongBytes,
  }
}

function httpFigures(total: Snapshot, counted: [status: number, count: number][]): HttpFigures {
  const { reconnects, sentAgain } = total
  const statuses: Record<string, number> = {}
  for (const [status, count] of counted) statuses[status] = (statuses[status] ?? 0) + count
  return { reconnects, sentAgain, reconnectUs: distribution(total.reconnect), statuses }
}

/** The figures of each distribution that a stall has touched. */
function touchedBy(total: Snapshot): GeneratorFigures['touched'] {
  const touched: GeneratorFigures['touched'] = {}
  for (const name of ['response', 'service', 'connect', 'churn'] as const) {
    const [measured, less] = [total[`${name}Touched`], total[`${name}Less`]]
    if (measured.count > 0)
      touched[`${name}Us`] = { measured: buckets(measured), less: buckets(less) }
  }
  return touched
}

/** The verdict follows from its reasons. */
export const withVerdict = (result: RunResult): RunResult => ({
  ...result,
  valid: result.invalidBecause.length === 0,
  verdict: result.failedBecause.length === 0 ? 'pass' : 'fail',
})

/** Percentiles of all samples, as far as the samples support them, in microseconds. */
export function distribution(histogram: Histogram): Distribution {
  const { count } = histogram
  const us = (ns: number) => (Number.isNaN(ns) ? null : ns / 1e3)
  const wanted = [0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 1]
  const [min, p50, p90, p99, p999, p9999, p99999, max] = histogram
    .quantiles(wanted)
    .map((ns, n) => (n % 7 === 0 || supported(wanted[n]!, count) ? us(ns) : null)) as [
    number | null,
    ...(number | null)[],
  ]
  const mean = us(histogram.sumNs / count)
  return { count, min, mean, p50, p90, p99, p999, p9999, p99999, max } as Distribution
}

function buckets(histogram: Histogram): [number, number][] {
  const found: [number, number][] = []
  histogram.forEach((bucket, count) => found.push([bucketMiddleNs(bucket) / 1e3, count]))
  return found
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const firstWrong = ({ expected, received, before, ...wrong }: WrongBytes): FirstWrong => ({
  connection: wrong.connection,
  offset: wrong.offset,
  expected: hex(expected),
  received: hex(received),
  before: hex(before),
  cause: wrong.cause,
  detail: wrong.detail,
})
