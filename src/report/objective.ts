/** Objectives such as `p99<5ms`: parsed, and compared with a result. */
import { UserError, usageError } from '../vocabulary/errors.ts'
import { listed } from '../vocabulary/text.ts'
import { formatCount, formatDuration, parseCount, parseDuration } from '../vocabulary/units.ts'
import { parsePercent, parseRate } from '../vocabulary/units.ts'
import { countOf, fewestSamples, ranked, supported } from './rank.ts'
import { withoutOwn } from './less.ts'
import { rateUnknown } from './reasons.ts'
import { resultHistograms } from '../metrics/counters.ts'
import { distributionIn } from './result.ts'
import type { Distribution, DistributionName, ObjectiveResult, RunResult } from './result.ts'
import type { ObjectiveLimits } from './findings.ts'

/** What a figure is: it decides how a value is written. */
export type FigureKind = 'time' | 'fraction' | 'count' | 'rate'

/** A figure that every result has, by its name. */
export interface Metric {
  name: string
  kind: FigureKind
  /** Microseconds, a fraction, a count, or per second; null where there are too few samples. */
  of(result: RunResult): number | null
  /** How many samples it needs at least, and of which distribution. */
  fewest: number
  samples?: string
}

export const operators = ['<', '<=', '>', '>=', '='] as const
export type Operator = (typeof operators)[number]

export interface Objective {
  /** The text as the user wrote it. */
  text: string
  metric: Metric
  operator: Operator
  /** The limit in the unit of the metric. */
  limit: number
}

/** The distributions of a result, by their names in objectives. */
const distributions: Record<string, string> = Object.fromEntries(
  [...resultHistograms('always'), ...resultHistograms('sometimes')].map(name => [
    name,
    `${name}Us`,
  ]),
)

/** An unfinished message counts as lost here, since it may be. */
const unanswered = ({ lost, unfinished }: RunResult['messages']): number => lost + unfinished

/** All other metrics; a new one is a line here. */
const totals: Record<string, { kind: FigureKind; of: Metric['of'] }> = {
  loss: {
    kind: 'fraction',
    of: ({ messages }) => (messages.planned > 0 ? unanswered(messages) / messages.planned : null),
  },
  lost: { kind: 'count', of: ({ messages }) => unanswered(messages) },
  errors: {
    kind: 'count',
    of: ({ errors }) => Object.values(errors).reduce((sum, count) => sum + count, 0),
  },
  wrong: { kind: 'count', of: ({ messages }) => messages.wrong },
  deferred: { kind: 'count', of: ({ messages }) => messages.deferred },
  outage: { kind: 'time', of: longestOutageUs },
  rate: {
    kind: 'rate',
    of: ({ seconds, rates }) => (seconds > 0 ? rates.achievedPerSecond : null),
  },
}

const ofDatagrams: typeof totals = {
  duplicated: { kind: 'count', of: ({ datagrams }) => datagrams?.duplicated ?? null },
  reordered: { kind: 'count', of: ({ datagrams }) => datagrams?.reordered ?? null },
  late: { kind: 'count', of: ({ datagrams }) => datagrams?.late ?? null },
  corrupted: { kind: 'count', of: ({ datagrams }) => datagrams?.corrupted ?? null },
}
const metrics = { ...totals, ...ofDatagrams }

/** 0 without an outage; null if an outage had not ended at the end of the run. */
function longestOutageUs({ outages }: RunResult): number | null {
  const lasted = outages?.rows.map(({ beginSeconds, endSeconds }) =>
    endSeconds === null ? Infinity : (endSeconds - beginSeconds) * 1e6,
  )
  const longest = lasted ? Math.max(0, ...lasted) : Infinity
  return longest === Infinity ? null : longest
}

/** The names of all metrics. */
export const metricNames = {
  distributions: Object.keys(distributions),
  totals: Object.keys(totals),
  datagrams: Object.keys(ofDatagrams),
}

const prefixes = metricNames.distributions.slice(1).map(name => `${name}.`)

/** What to try, for an objective whose name is unknown. */
export const metricsHint =
  'Metrics are p50, p90, p99, p99.9 (any pNN.N), min, mean and max, with a prefix: response. ' +
  `(the default), ${listed(prefixes, 'or')}; ` +
  `also ${metricNames.totals.join(', ')}; for udp also ${metricNames.datagrams.join(', ')}.`

/** @throws UserError if no metric has that name */
export function parseMetric(name: string): Metric {
  const total = Object.hasOwn(metrics, name) ? metrics[name] : undefined
  if (total) return { name, ...total, fewest: 1 }
  const match = /^(?:(\w+)\.)?(min|mean|max|p(\d+(?:\.\d+)?))$/.exec(name)
  const prefix = match?.[1] ?? 'response'
  const percent = match?.[3] === undefined ? 0 : percentOf(match[3])
  if (!match || !Object.hasOwn(distributions, prefix) || percent === undefined)
    throw usageError(`There is no metric '${name}'.`, metricsHint)
  const key = distributions[prefix]!
  const figure = match[2] as 'min' | 'mean' | 'max'
  const of: Metric['of'] =
    percent > 0
      ? result => percentile(result, key, percent)
      : result => distributionIn(result, key)?.[figure] ?? null
  const fewest = percent > 0 && percent < 100 ? fewestSamples(percent / 100) : 1
  return { name, kind: 'time', of, fewest, samples: key }
}

/** `99`, `99.9`, and `999` for the same without its dot; undefined for what is not a percentile. */
function percentOf(digits: string): number | undefined {
  const percent = Number(
    /^9\d{2,}$/.test(digits) ? `${digits.slice(0, 2)}.${digits.slice(2)}` : digits,
  )
  return percent > 0 && percent <= 100 ? percent : undefined
}

const known: Record<string, keyof Distribution> = {
  '50': 'p50',
  '90': 'p90',
  '99': 'p99',
  '99.9': 'p999',
  '99.99': 'p9999',
  '99.999': 'p99999',
}

function percentile(result: RunResult, key: string, percent: number): number | null {
  const name = known[String(percent)]
  const distribution = distributionIn(result, key)
  if (!distribution) return null
  if (name) return distribution[name]
  const buckets = result.histograms[key as DistributionName]
  const isKnown = percent === 100 || supported(percent / 100, countOf(buckets))
  return isKnown ? ranked(buckets, percent / 100) : null
}

/** Why a figure is not known. */
export function unknown({ name, kind, samples, fewest }: Metric, result: RunResult): string {
  if (name === 'outage' && result.outages) return 'not known: an outage had not ended'
  if (kind === 'rate' && result.messages.received > 0) return `not known: ${rateUnknown}`
  const count = samples ? (distributionIn(result, samples)?.count ?? 0) : 0
  if (count === 0) return 'no sample'
  return `not known: ${formatCount(count)} of the ${formatCount(fewest)} samples that it takes`
}

/** The parts of `METRIC OP VALUE`; undefined if it has no such form. */
export function splitCondition(
  text: string,
): { name: string; operator: Operator; value: string } | undefined {
  const match = /^\s*([\w.]+)\s*(<=|>=|==|<|>|=)\s*([^<>=\s][^<>=]*?)\s*$/.exec(text)
  if (!match) return undefined
  const operator = (match[2] === '==' ? '=' : match[2]) as Operator
  return { name: match[1]!, operator, value: match[3]! }
}

/** @throws UserError if the text is not an objective */
export function parseObjective(text: string): Objective {
  const parts = splitCondition(text)
  if (!parts)
    throw usageError(
      `'${text}' is not an objective.`,
      `Write METRIC OP VALUE, for example 'p99<5ms' or 'errors=0'. ${metricsHint}`,
    )
  const metric = parseMetric(parts.name)
  const { what, parse } = values[metric.kind]
  try {
    return { text, metric, operator: parts.operator, limit: parse(parts.value) }
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    throw usageError(`'${text}': ${metric.name} is ${what}, not '${parts.value}'.`, metricsHint)
  }
}

/** How the value of each kind is read. */
const values: Record<FigureKind, { what: string; parse: (text: string) => number }> = {
  time: { what: 'a duration such as 5ms', parse: text => parseDuration(text) * 1e3 },
  fraction: {
    what: 'a percentage such as 0.1%',
    parse: text => (text === '0' ? 0 : parsePercent(text)),
  },
  count: { what: 'a number such as 0', parse: parseCount },
  rate: { what: 'a rate such as 50k/s', parse: parseRate },
}

export function compare(value: number, operator: Operator, limit: number): boolean {
  if (operator === '<') return value < limit
  if (operator === '<=') return value <= limit
  if (operator === '>') return value > limit
  return operator === '>=' ? value >= limit : value === limit
}

export function meets(
  { text, metric, operator, limit }: Objective,
  result: RunResult,
): ObjectiveResult {
  const measured = metric.of(result)
  if (measured === null)
    return { objective: text, measured, measuredText: unknown(metric, result), held: false }
  const measuredText = besides(metric.kind, measured, limit)
  if (compare(measured, operator, limit))
    return { objective: text, measured, measuredText, held: true }
  const own = { held: false, ownFault: true } as const
  const bound = metric.of(withoutOwn(result))
  if (bound === null || !compare(bound, operator, limit)) {
    const isUnknown = result.generator.limited === true && ['time', 'rate'].includes(metric.kind)
    if (!isUnknown) return { objective: text, measured, measuredText, held: false }
    const limited = `${measuredText}, while the generator was the limit`
    return { objective: text, measured, measuredText: limited, ...own }
  }
  const without = `${besides(metric.kind, bound, limit)} without that`
  const why = `missed by the generator's own fault (${without})`
  return { objective: text, measured, measuredText: `${measuredText}, ${why}`, ...own }
}

/** The sentence that says that an objective was missed. */
export function missedText({ objective, measured, measuredText }: ObjectiveResult): string {
  const was = measured === null ? measuredText : `measured ${measuredText}`
  return `Expected ${objective}, ${was}.`
}

/** What the objectives allow: how many messages may be lost, and which rate is enough. */
export function limitsOf(texts: readonly string[]): ObjectiveLimits {
  const objectives = texts.map(parseObjective)
  const on = (...names: string[]) => objectives.filter(({ metric }) => names.includes(metric.name))
  const losses = on('loss', 'lost')
  const rate = on('rate').length > 0
  if (losses.length === 0) return { rate }
  const loss = (lost: number, planned: number) =>
    losses.every(({ metric, operator, limit }) =>
      compare(metric.kind === 'fraction' ? lost / planned : lost, operator, limit),
    )
  return { loss, rate }
}

/** The measured value as text, with enough digits to differ from the limit, unless it is equal. */
function besides(kind: FigureKind, measured: number, limit: number): string {
  const text = formatFigure(kind, measured)
  // `5.00ms` and `5ms` are read as the same.
  const read = (text: string) => text.replace(/^\d+\.\d+/, number => String(Number(number)))
  if (measured === limit || read(text) !== read(formatFigure(kind, limit))) return text
  if (kind === 'time') return `${measured / 1e3}ms`
  if (kind === 'fraction') return `${measured * 100}%`
  return kind === 'rate' ? `${measured}/s` : text
}

export function formatFigure(kind: FigureKind, value: number): string {
  if (kind === 'time') return formatDuration(value / 1e3)
  if (kind === 'fraction') return value === 0 ? '0%' : `${Number((value * 100).toPrecision(3))}%`
  const count =
    kind === 'rate' && value < 100 ? String(Number(value.toPrecision(3))) : formatCount(value)
  return kind === 'rate' ? `${count}/s` : count
}
