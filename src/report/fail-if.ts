/** Conditions such as `p99>+10%` (against the baseline) or `p99>5ms`, under which a run fails. */
import { usageError } from '../vocabulary/errors.ts'
import { formatCount, plural } from '../vocabulary/units.ts'
import type { FigureCompared } from './rounds-answers.ts'
import { compare, formatFigure, meets, parseMetric, parseObjective } from './objective.ts'
import { splitCondition, type Metric, type Objective, type Operator } from './objective.ts'
import type { RunResult } from './result.ts'

export interface ChangeWanted {
  metric: Metric
  operator: Operator
  change: number
}

export interface Condition {
  /** The text as the user wrote it. */
  text: string
  /** A condition on the change against the baseline, or on a value. */
  check: ChangeWanted | { objective: Objective }
}

/** What became of a condition. */
export interface CheckedCondition {
  condition: string
  /** `unknown`: neither shown nor ruled out. */
  held: 'yes' | 'no' | 'unknown'
  measured: string
}

/** @throws UserError if it is not a condition */
export function parseCondition(text: string): Condition {
  const parts = splitCondition(text)
  const percent = parts && /^([+-])\s*(\d+(?:\.\d+)?)\s*%$/.exec(parts.value)
  if (parts && percent) {
    const change = Number(`${percent[1]}${percent[2]}`) / 100
    const metric = parseMetric(parts.name)
    if (metric.kind !== 'time' && metric.kind !== 'rate')
      throw usageError(
        `'${text}': only times and rates have a change against the baseline.`,
        `Write a value, for example '${parts.name}>0'.`,
      )
    return { text, check: { metric, operator: parts.operator, change } }
  }
  if (parts && parts.value.endsWith('%') && parseMetric(parts.name).kind !== 'fraction')
    throw usageError(
      `'${text}': a change against the baseline needs its sign.`,
      `Write for example '${parts.name}${parts.operator}+${parts.value.replace(/^[+-]/, '')}'.`,
    )
  return { text, check: { objective: parseObjective(text) } }
}

/**
 * Refuses conditions on changes: single runs make no claim, so they cannot show a change.
 * @throws UserError if a condition is one on a change
 */
export function refuseChanges(conditions: readonly Condition[]): void {
  const found = conditions.find(({ check }) => 'change' in check)
  if (!found) return
  throw usageError(
    `'${found.text}' needs a claim, which single runs cannot make.`,
    'Measure in rounds: `yodel bench ADDRESS --against ADDRESS --rounds 10 --fail-if ...`.',
  )
}

/**
 * Whether a condition holds for a run; if its figure is not known, it does. A change never does.
 */
export function checkRun({ text, check }: Condition, result: RunResult): CheckedCondition {
  if ('change' in check) return { condition: text, held: 'unknown', measured: 'no claim' }
  const { held, measured, measuredText } = meets(check.objective, result)
  const failed = held || measured === null
  return { condition: text, held: failed ? 'yes' : 'no', measured: measuredText }
}

/**
 * Whether a condition holds for the subject of rounds. A change needs a claim: a difference that
 * may be chance is not enough. A condition on a value holds if it does in any round.
 * @param figures with all on which there are conditions
 */
export function checkRounds(
  condition: Condition,
  subjects: readonly RunResult[],
  figures: readonly FigureCompared[],
): CheckedCondition {
  const { text, check } = condition
  if (!('change' in check)) {
    if (subjects.length === 0)
      return { condition: text, held: 'unknown', measured: 'no round is valid' }
    const found = subjects.map(result => checkRun(condition, result))
    const failed = found.filter(({ held }) => held === 'yes')
    const [first] = failed
    if (!first) return { condition: text, held: 'no', measured: 'in no round' }
    const rounds = `in ${formatCount(failed.length)} of ${plural(found.length, 'round')}`
    return { ...first, measured: `${first.measured} (${rounds})` }
  }
  const figure = figures.find(({ metric }) => metric === check.metric.name)!
  return { condition: text, ...checkChange(check, figure) }
}

function checkChange(wanted: ChangeWanted, figure: FigureCompared) {
  const { change, interval, answer, baseline, value, unknownBecause, kind } = figure
  // A figure that was not measured may be wrong, so the condition holds.
  if (unknownBecause !== null || change === null)
    return { held: 'yes', measured: unknownBecause ?? 'not known' } as const
  const holds = (of: number) => compare(Math.round(of * 1e9) / 1e9, wanted.operator, wanted.change)
  const values = `${formatFigure(kind, baseline!)} to ${formatFigure(kind, value!)}`
  const span = interval ? `, ${changeSpan(interval)}` : ''
  const measured = `${formatChange(change)} (${values}${span})`
  const isClaim = answer === 'better' || answer === 'worse'
  if (isClaim && holds(change)) return { held: 'yes', measured } as const
  const isRuledOut = answer !== null && interval?.every(end => !holds(end))
  return { held: isRuledOut ? 'no' : 'unknown', measured } as const
}

/** `+3.1% to +8.4%` */
export const changeSpan = ([low, high]: readonly [number, number]): string =>
  `${formatChange(low)} to ${formatChange(high)}`

/** 0.157 → `+15.7%`; from tenfold on it is written `12x`. */
export function formatChange(change: number): string {
  if (change >= 9) return `${formatCount(change + 1)}x`
  const percent = change * 100
  const text = percent.toFixed(Math.abs(percent) < 99.95 ? 1 : 0)
  // A change that rounds to nothing has no direction.
  if (Number(text) === 0) return '0.0%'
  return `${percent > 0 ? '+' : ''}${text}%`
}
