/** Conditions such as `p99>+10%` (against the baseline) or `p99>5ms`, under which a run fails. */
import { usageError } from '../vocabulary/errors.ts'
import { formatCount } from '../vocabulary/units.ts'
import { compare, formatFigure, meets, parseMetric, parseObjective, unknown } from './objective.ts'
import { splitCondition, type Metric, type Objective, type Operator } from './objective.ts'
import type { RunResult } from './result.ts'

export interface Condition {
  /** As it was written. */
  text: string
  /** Against the baseline, or against a value of its own. */
  check: { metric: Metric; operator: Operator; change: number } | { objective: Objective }
}

/** @throws UserError if it is none */
export function parseCondition(text: string): Condition {
  const parts = splitCondition(text)
  const percent = parts && /^([+-])\s*(\d+(?:\.\d+)?)\s*%$/.exec(parts.value)
  if (parts && percent) {
    const change = Number(`${percent[1]}${percent[2]}`) / 100
    return { text, check: { metric: parseMetric(parts.name), operator: parts.operator, change } }
  }
  if (parts && parts.value.endsWith('%') && parseMetric(parts.name).kind !== 'fraction')
    throw usageError(
      `'${text}': a change against the baseline needs its sign.`,
      `Write for example '${parts.name}${parts.operator}+${parts.value.replace(/^[+-]/, '')}'.`,
    )
  return { text, check: { objective: parseObjective(text) } }
}

/** What holds, and what was measured; null if it does not hold. What is not known does. */
export function checkCondition(
  { text, check }: Condition,
  baseline: RunResult,
  result: RunResult,
): { condition: string; measured: string } | null {
  if ('objective' in check) {
    const { held, measured, measuredText } = meets(check.objective, result)
    return held || measured === null ? { condition: text, measured: measuredText } : null
  }
  const { metric, operator } = check
  const [before, after] = [metric.of(baseline), metric.of(result)]
  if (before === null || after === null) {
    const why = unknown(metric, before === null ? baseline : result)
    const where = before === null ? ' (the baseline)' : ''
    return { condition: text, measured: `${why}${where}` }
  }
  const change = changeOf(before, after)
  if (!compare(change, operator, check.change)) return null
  const values = `${formatFigure(metric.kind, before)} to ${formatFigure(metric.kind, after)}`
  return { condition: text, measured: `${formatChange(change)} (${values})` }
}

/** As a fraction; from nothing to something is more than any percentage. */
function changeOf(before: number, after: number): number {
  if (before === after) return 0
  // 120 / 100 - 1 is less than 0.2 in binary floating point: keep nine decimals.
  return before === 0 ? Infinity : Math.round((after / before - 1) * 1e9) / 1e9
}

/** 0.157 → `+15.7%`; from ten times as much on it is written so: `12x`. */
export function formatChange(change: number): string {
  if (change === Infinity) return 'from 0'
  if (change >= 9) return `${formatCount(change + 1)}x`
  const percent = change * 100
  const text = percent.toFixed(Math.abs(percent) < 99.95 ? 1 : 0)
  // A change that rounds to nothing has no direction.
  if (Number(text) === 0) return '0.0%'
  return `${percent > 0 ? '+' : ''}${text}%`
}
