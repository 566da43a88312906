/** What changed between saved results: the first is the baseline of the others. */
import { changeInterval, fewestValues, mean, median, type Statistic } from './bootstrap.ts'
import { differences } from './conditions.ts'
import { checkCondition, type Condition } from './fail-if.ts'
import { parseMetric, type Kind } from './objective.ts'
import type { Interval, RunResult } from './result.ts'

export const compareFormat = 'yodel-compare-1'

export interface Change {
  /** As an objective names it. */
  metric: string
  kind: Kind
  baseline: number | null
  value: number | null
  /** As a fraction of the baseline; null where that is 0 or unknown. */
  change: number | null
  /** In which the change lies with 95 % certainty; null where it is not known. */
  interval: [low: number, high: number] | null
  /** What the interval says; null without one. */
  difference: 'none' | 'better' | 'worse' | null
}

export interface ComparedRun {
  name: string
  startedAt: string
  seconds: number
  valid: boolean
  verdict: 'pass' | 'fail'
}

export interface ComparedWith extends ComparedRun {
  changes: Change[]
  /** Why there are no intervals; null if there are. */
  noIntervals: string | null
}

/** A condition of `--fail-if` that holds. */
export interface FailedCondition {
  condition: string
  name: string
  measured: string
}

export interface RunComparison {
  format: typeof compareFormat
  verdict: 'pass' | 'fail'
  /** What makes the runs hard to compare, a sentence each. */
  warnings: string[]
  baseline: ComparedRun
  others: ComparedWith[]
  conditions: string[]
  failures: FailedCondition[]
}

/** What is compared, and the figure of each second from which the interval comes. */
const compared: { name: string; ofSecond?: (second: Interval) => number | null; of?: Statistic }[] =
  [
    { name: 'rate', ofSecond: ({ ratePerSecond }) => ratePerSecond, of: mean },
    { name: 'mean', ofSecond: ({ responseUs }) => responseUs.mean, of: mean },
    { name: 'p50', ofSecond: ({ responseUs }) => responseUs.p50, of: median },
    { name: 'p90', ofSecond: ({ responseUs }) => responseUs.p90, of: median },
    { name: 'p99', ofSecond: ({ responseUs }) => responseUs.p99, of: median },
    { name: 'p99.9', ofSecond: ({ responseUs }) => responseUs.p999, of: median },
    { name: 'max' },
    { name: 'lost' },
    { name: 'errors' },
  ]

/** What is shorter by so much says too little. */
const fullSecond = 0.9

/** @param names of the results, in their order: there are two or more */
export function compareRuns(
  results: readonly RunResult[],
  names: readonly string[],
  failIf: readonly Condition[] = [],
): RunComparison {
  const [baseline, ...others] = results as [RunResult, ...RunResult[]]
  const [baselineName, ...otherNames] = names as [string, ...string[]]
  const failures = others.flatMap((result, index) =>
    failIf
      .map(condition => checkCondition(condition, baseline, result))
      .filter(failed => failed !== null)
      .map(failed => ({ ...failed, name: otherNames[index]! })),
  )
  return {
    format: compareFormat,
    verdict: failures.length > 0 ? 'fail' : 'pass',
    warnings: [
      ...results.flatMap((result, index) => doubts(result, names[index]!)),
      ...others.flatMap((result, index) =>
        unlike(baseline, result, baselineName, otherNames[index]!),
      ),
    ],
    baseline: describe(baseline, baselineName),
    others: others.map((result, index) => ({
      ...describe(result, otherNames[index]!),
      changes: compared.map(({ name, ofSecond, of }) => {
        const series = ofSecond && [baseline, result].map(run => perSecond(run, ofSecond))
        const interval = series && of ? changeInterval(series[0]!, series[1]!, of) : null
        return change(name, baseline, result, interval)
      }),
      noIntervals: whyNoIntervals([baseline, result], [baselineName, otherNames[index]!]),
    })),
    conditions: failIf.map(({ text }) => text),
    failures,
  }
}

const describe = ({ run, seconds, valid, verdict }: RunResult, name: string): ComparedRun => ({
  name,
  startedAt: run.startedAt,
  seconds,
  valid,
  verdict,
})

const fullSeconds = ({ intervals }: RunResult): Interval[] =>
  intervals.filter(({ seconds, sent }) => seconds >= fullSecond && sent > 0)

const perSecond = (result: RunResult, of: (second: Interval) => number | null): number[] =>
  fullSeconds(result)
    .map(of)
    .filter(value => value !== null)

function change(
  name: string,
  before: RunResult,
  after: RunResult,
  interval: [number, number] | null,
): Change {
  const metric = parseMetric(name)
  const [baseline, value] = [metric.of(before), metric.of(after)]
  const known = baseline !== null && value !== null && baseline > 0
  return {
    metric: name,
    kind: metric.kind,
    baseline,
    value,
    change: known ? value / baseline - 1 : null,
    interval: known ? interval : null,
    difference: known && interval ? judge(interval, metric.kind === 'rate') : null,
  }
}

function judge([low, high]: [number, number], moreIsBetter: boolean): 'none' | 'better' | 'worse' {
  if (low <= 0 && high >= 0) return 'none'
  return low > 0 === moreIsBetter ? 'better' : 'worse'
}

function whyNoIntervals(results: RunResult[], names: string[]): string | null {
  const short = results.flatMap((result, index) => {
    const seconds = fullSeconds(result).length
    return seconds < fewestValues ? [`${names[index]} has ${seconds}`] : []
  })
  if (short.length === 0) return null
  return `No intervals: they need ${fewestValues} full seconds of each, and ${short.join(', ')}.`
}

/** Why the figures of one run are not to be trusted. */
function doubts({ valid, invalidBecause, verdict, failedBecause }: RunResult, name: string) {
  const warnings: string[] = []
  if (!valid) warnings.push(`${name} is not valid: ${invalidBecause.join(' ')}`)
  if (verdict === 'fail') warnings.push(`${name} failed: ${failedBecause.join(' ')}`)
  return warnings
}

function unlike(before: RunResult, after: RunResult, first: string, second: string): string[] {
  const found = differences(before.run, after.run)
  if (found.length === 0) return []
  const list = found.map(({ what, baseline, value }) => `${what} (${baseline}, then ${value})`)
  return [`${first} and ${second} differ in more than what is measured: ${list.join('; ')}.`]
}
