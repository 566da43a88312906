/** Whether the generator itself was the limit: then the figures are its own, not the server's. */
import { isPublic, toAddress } from '../vocabulary/address.ts'
import { formatCount, formatDuration, formatRate, plural } from '../vocabulary/units.ts'
import { partOfSlice, sizeOf } from '../load/part.ts'
import type { Histogram } from '../metrics/histogram.ts'
import { withoutOwn } from './less.ts'
import { ranked, type Buckets } from './rank.ts'
import { churnShortfall } from './reasons.ts'
import type { RunResult } from './result.ts'

/** A thread that works for this share of its time never waits for the server. */
const busyShare = 0.98
/** The limit for an open loop that does not keep its plan, which is lower. */
const busyShareBehind = 0.9
/**
 * A closed loop whose busiest thread works for this share of its time may be near its limit:
 * another generator may reach a higher rate.
 */
const nearShare = 0.9
/**
 * The limit with one message in flight per thread: then nothing is sent while the thread works.
 */
const partShare = 0.25
/**
 * Lateness is not negligible if 1 % of it is beyond both: a time, and a share of the measured time.
 */
const lateUs = 10_000
const lateShare = 0.5
const churnRemedy = 'Use a lower --churn, or more --threads.'
/** The plan was not kept if a smaller share of it was sent in time. */
const sentShare = 0.95

const shareCore = (which: string) =>
  `Server and generator share ${which}: each takes its time from the other.`

/** How late 1 % of the short connections began, and what they took. */
interface ChurnTimes {
  lateUs: number
  times: Histogram
}

/** The options that decide how many messages may be in flight. */
type InFlightOptions = { connections: number; depth: number; slice: string | undefined }

/** For a closed loop: how much of its rate is the work of the generator itself. */
function shareOfRate({ generator, rates, run, churn }: RunResult): string[] {
  if (churn) return []
  const cpu = generator.cpuShare ?? 0
  const { connections: all, depth, slice } = run.options as InFlightOptions
  const inFlight = sizeOf(partOfSlice(slice), all) * depth
  const busy = `busy for ${Math.round(cpu * 100)} % of the time`
  const alone = inFlight <= run.threads && cpu >= partShare && rates.achievedPerSecond !== null
  if (alone)
    return [
      `With one message in flight nothing is sent while the generator works (${busy}): ` +
        'one that works less would have a higher rate, at most ' +
        `${formatRate(rates.achievedPerSecond! / (1 - cpu))}.`,
    ]
  if (cpu < nearShare) return []
  return [
    `The generator was near its limit (${busy}): another one may reach a higher rate. ` +
      'Use more --threads.',
  ]
}

/**
 * Whether the generator was late only because it was held up. Another sentence says that, with
 * another remedy: a lower rate would not help.
 */
function wasHeldUp(result: RunResult, name: 'responseUs' | 'churnUs'): boolean {
  if (result.invalidBecause.length === 0) return false
  const buckets: Partial<Record<string, Buckets>> = withoutOwn(result).histograms
  const us = ranked(buckets[name] ?? [], 0.99)
  return us !== null && us < lateUs
}

/** Adds reasons and notes about the generator to the result. To be called after judgeOwn(). */
export function judgeGenerator(result: RunResult, churn: ChurnTimes): void {
  const { generator, latenessUs, messages, run } = result
  const openLoop = latenessUs.count > 0
  // A flood is not a measurement, so there this is only a note.
  const blame = (reason: string, isFirst = false) => {
    if (run.command === 'flood') result.notes.push(reason)
    else {
      generator.limited = true
      result.invalidBecause[isFirst ? 'unshift' : 'push'](reason)
    }
  }
  const cpu = generator.cpuShare ?? 0
  const behind = messages.deferred > messages.planned * (1 - sentShare)
  const busy = openLoop ? behind && cpu >= busyShareBehind : cpu >= busyShare
  // If short connections are behind their plan, the generator may be the reason.
  const churnBehind = cpu >= busyShareBehind && churnShortfall(result) !== undefined
  const [churnNs] = churn.times.quantiles([0.99])
  const churnLate = churn.lateUs >= Math.max(lateUs, (lateShare * churnNs!) / 1e3)
  const remedy = churnBehind
    ? churnRemedy
    : openLoop
      ? 'Use a lower --rate, or more --threads.'
      : 'Use more --threads, fewer --connections, or a --rate below this one.'
  // Taken even with few samples: it is only a reason for doubt, not a figure of the server.
  const late = ranked(result.histograms.latenessUs, 0.99) ?? 0
  const lateMost = late >= lateShare * (ranked(result.histograms.responseUs, 0.99) ?? Infinity)
  if (busy || churnBehind) {
    const threads = run.threads === 1 ? 'its thread was' : 'the busiest of its threads was'
    blame(
      `The generator was the limit: ${threads} busy for ${Math.round(cpu * 100)} % of the time, ` +
        `so the server may do more, and the times contain those of the generator. ${remedy}`,
      true,
    )
  } else if (lateMost && late >= lateUs) {
    blame(
      `The generator was the limit: 1 % of its messages went out ${formatDuration(late / 1e3)} ` +
        `or more after their time.${wasHeldUp(result, 'responseUs') ? '' : ` ${remedy}`}`,
    )
  } else if (churnLate) {
    blame(
      'The generator was the limit: 1 % of its short connections began ' +
        `${formatDuration(churn.lateUs / 1e3)} or more after their time.` +
        (wasHeldUp(result, 'churnUs') ? '' : ` ${churnRemedy}`),
    )
  } else if (lateMost) {
    result.notes.push(
      `The generator's own lateness (p99 ${formatDuration(late / 1e3)}) is most of the p99.`,
    )
  } else if (!openLoop && run.command === 'bench') result.notes.push(...shareOfRate(result))
  const { sharedCore, cores, system } = run.machine
  if (sharedCore !== undefined) result.notes.push(shareCore(`core ${sharedCore}`))
  // Linux tells where the server may run.
  else if (cores === 1 && !system.startsWith('Linux') && !isPublic(toAddress(run.address)))
    result.notes.push(shareCore('the only core of this machine'))
  if (openLoop && messages.deferred > 0) {
    const { connections: all, depth, slice } = run.options as InFlightOptions
    const connections = sizeOf(partOfSlice(slice), all)
    result.notes.push(
      `${formatCount(messages.deferred)} of ${formatCount(messages.planned)} messages were ` +
        'deferred, since their connection had --depth messages in flight already ' +
        `(${plural(connections, 'connection')} × depth ${formatCount(depth)}). ` +
        'Their response time contains the wait.',
    )
  }
}
