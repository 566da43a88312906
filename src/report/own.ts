/**
 * Which figures are the generator's own: they would be different if it had never been held up, and
 * had never waited for a processor. See docs/validity.md.
 */
import { listed } from '../vocabulary/text.ts'
import { formatDuration, plural } from '../vocabulary/units.ts'
import { withoutOwn } from './less.ts'
import { formatFigure, parseMetric } from './objective.ts'
import { churnShortfall, shortfall } from './reasons.ts'
import type { OwnFigure, RunResult } from './result.ts'

/** A figure is the generator's own if the hold-up has changed it by more than this share. */
export const ownShare = 0.1
/**
 * From this change on a figure makes the run INVALID: of a percentile, and of a single time (max).
 */
const graveUs = 10_000
const graveMaxUs = 80_000
/**
 * The same limit for a rate, if stalls took at least this long. (Any thread waits now and then.)
 */
const graveLostShare = 0.25
const graveLostSeconds = 0.05
/**
 * While a closed loop is stopped it sends nothing. Its rate is spoiled if stops as long as
 * graveMaxUs took more than this share of the window, even if all times are right.
 */
const stoppedShare = 0.01

/** Distributions of short connections. */
const ofChurn = ['churn.', 'connect.']
const names = ['p50', 'p90', 'p99', 'p99.9', 'p99.99', 'p99.999', 'max', 'mean']

/** Marks these figures, and decides whether they make the run INVALID. */
export function judgeOwn(result: RunResult): void {
  if (result.run.command === 'flood') return
  const own = ownFigures(result)
  result.generator.own = own
  if (own.length === 0) return
  const because = sentence(result, own)
  const isShortOfChurn =
    churnShortfall(result) !== undefined && churnShortfall(withoutOwn(result)) === undefined
  if (isShortOfChurn || own.some(figure => isGrave(figure, result)))
    result.invalidBecause.push(because)
  else result.notes.push(because)
  // The plan was not kept because of the generator.
  const short = own.some(({ figure }) => figure === 'rate') ? shortfall(result) : undefined
  const shorts = [short, isShortOfChurn && churnShortfall(result)]
  result.failedBecause = result.failedBecause.filter(reason => !shorts.includes(reason))
}

function ownFigures(result: RunResult): OwnFigure[] {
  const less = withoutOwn(result)
  const isOpenLoop = result.rates.plannedPerSecond !== null
  const sets = isOpenLoop ? ['', 'service.', ...ofChurn] : ['', ...ofChurn]
  const times = sets.flatMap(set => names.map(name => `${set}${name}`))
  const all = hasNoConnectionLeft(result) ? times : ['rate', ...times]
  return all.flatMap(figure => {
    const metric = parseMetric(figure)
    const [measured, bound] = [metric.of(result), metric.of(less)]
    if (measured === null || bound === null) return []
    const isShort = figure === 'rate' && isOpenLoop && shortfall(result) !== undefined
    const isOwn =
      Math.abs(bound - measured) > ownShare * Math.max(bound, measured) ||
      (isShort && shortfall(less) === undefined) ||
      (figure === 'rate' && bound > measured && wasStopped(result))
    return isOwn ? [{ figure, measured, bound }] : []
  })
}

/** Whether stops of a closed loop spoil its rate. */
function wasStopped({ generator, rates, run, seconds }: RunResult): boolean {
  if (rates.plannedPerSecond !== null) return false
  const { threads, stalls } = generator
  const longest = threads?.flatMap(thread => thread.stalls.longest) ?? stalls?.longest ?? []
  const stops = longest.map(([, ms]) => ms).filter(ms => ms * 1e3 >= graveMaxUs)
  const stoppedMs = stops.reduce((sum, ms) => sum + ms, 0)
  return stoppedMs / 1e3 > stoppedShare * seconds * run.threads
}

/** If all connections have failed, the rate is low because of that. With udp they do not fail. */
function hasNoConnectionLeft({ errors, churn, datagrams, outages, run, part }: RunResult): boolean {
  if (churn || datagrams || outages) return false
  const { unanswered: _, ...failures } = errors
  const failed = Object.values(failures).reduce((sum, count) => sum + count, 0)
  return failed > 0 && failed >= (part?.connections ?? Number(run.options.connections))
}

function isGrave({ figure, measured, bound }: OwnFigure, result: RunResult): boolean {
  if (figure.endsWith('mean')) return false
  if (figure !== 'rate') return measured - bound >= (figure.endsWith('max') ? graveMaxUs : graveUs)
  const lost = 1 - measured / bound
  const isLong = lost * result.seconds >= graveLostSeconds
  // If the plan was missed only because of the generator, that is grave: the server did not fail.
  if (shortfall(result) !== undefined || wasStopped(result)) return true
  return lost >= graveLostShare && isLong
}

function sentence(result: RunResult, own: readonly OwnFigure[]): string {
  // Marks of service and connect have the same cause as those of response and churn.
  const told = own.filter(({ figure }) => !/^(service|connect)\./.test(figure))
  const all = told.length > 0 ? told : own
  const figures = all.map(({ figure }) => figure)
  const bounds = all.map(figure => boundText(figure)).join(', ')
  return (
    `${listed(figures)} ${figures.length > 1 ? 'are' : 'is'} the generator's own: ` +
    // A verdict has room for only a few lines: what helps comes before the figures.
    `${cause(result)} ${remedy(result)} Without that: ${bounds}.`
  )
}

/** `p99 at least 1.2ms`, `rate 30,000/s at the same pace` (a rate has no certain bound). */
export function boundText({ figure, bound }: OwnFigure): string {
  const { kind } = parseMetric(figure)
  const text = formatFigure(kind, bound)
  return kind === 'rate' ? `${figure} ${text} at the same pace` : `${figure} at least ${text}`
}

function cause(result: RunResult): string {
  const { stalls, garbage, queuedShare } = result.generator
  const { count = 0, totalMs = 0, longest = [] } = stalls ?? {}
  const most = Math.max(...longest.map(([, ms]) => ms))
  const all = count > 1 ? `, the longest for ${formatDuration(most)}` : ''
  const collected =
    garbage && garbage.totalMs > totalMs / 2 ? `; garbage ${formatDuration(garbage.totalMs)}` : ''
  const times = count === 1 ? 'once' : plural(count, 'time')
  const held = `was held up ${times}, for ${formatDuration(totalMs)}${all}${collected}`
  const queued = Math.round((queuedShare ?? 0) * 100)
  const waited = `waited for a processor for ${queued} % of the time`
  return `it ${[count > 0 && held, queued > 0 && waited].filter(Boolean).join(', and ')}.`
}

const remedy = (result: RunResult): string =>
  (result.generator.queuedShare ?? 0) > ownShare
    ? 'Stop the other programs on its processors, or give it a processor of its own.'
    : 'It was stopped, or other programs on this machine kept it from its processor.'

/** What the mark means, and what the marked figures are without the hold-up. */
export function ownParts({ generator }: RunResult): string[] {
  const told = (generator.own ?? []).filter(({ figure }) => !/mean|^(service|connect)/.test(figure))
  const [first, ...rest] = told.map(boundText)
  return first === undefined ? [] : [`the generator's; without that ${first}`, ...rest]
}
