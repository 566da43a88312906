/** The comparison of runs for people: a table for each file, in 40 columns and more. */
import { formatDuration } from '../vocabulary/units.ts'
import { wrap, type Canvas } from './bars.ts'
import type { Change, ComparedRun, ComparedWith, RunComparison } from './compare-runs.ts'
import { formatChange } from './fail-if.ts'
import { formatFigure } from './objective.ts'
import { printable } from '../vocabulary/text.ts'

/** What the widest table takes. */
const tableColumns = 76

export function compareText(comparison: RunComparison, { columns }: Canvas): string {
  const { baseline, others, warnings, failures, conditions } = comparison
  const blocks: string[][] = [wrap(`baseline: ${runText(baseline)}`, columns)]
  for (const other of others) {
    blocks.push([
      ...wrap(runText(other), columns),
      ...(columns < tableColumns ? narrow(other.changes) : table(other.changes)),
      ...remarks(other).flatMap(remark => wrap(remark, columns)),
    ])
  }
  if (warnings.length > 0)
    blocks.push(warnings.flatMap(warning => wrap(`WARNING: ${warning}`, columns)))
  if (failures.length > 0) {
    const rows = failures.map(({ condition, name, measured }) => [condition, measured, name])
    blocks.push(['FAILED: --fail-if', ...failed(rows, columns)])
  } else if (conditions.length > 0) {
    const list = conditions.join(', ')
    blocks.push(wrap(`Passed: ${conditions.length > 1 ? 'none of ' : 'not '}${list}.`, columns))
  }
  const text = blocks.map(lines => lines.join('\n')).join('\n\n')
  // A file may come from anywhere.
  return `${printable(text, { keepLines: true })}\n`
}

const runText = ({ name, startedAt, seconds }: ComparedRun): string =>
  `${name}, ${formatDuration(seconds * 1e3)} from ${startedAt.replace(/\.\d+Z$/, 'Z')}`

const figure = ({ kind }: Change, value: number | null): string =>
  value === null ? 'n/a' : formatFigure(kind, value)

function changeText({ baseline, value, change }: Change): string {
  if (change !== null) return formatChange(change)
  if (baseline === null || value === null) return ''
  return baseline === value ? 'same' : 'from 0'
}

const intervalText = ({ interval }: Change): string =>
  interval ? `${formatChange(interval[0])} to ${formatChange(interval[1])}` : ''

const saying = { none: 'no difference', better: 'better', worse: 'worse' }
const differenceText = ({ difference }: Change): string => (difference ? saying[difference] : '')

function table(changes: Change[]): string[] {
  const certain = changes.some(({ interval }) => interval)
  const head = ['', 'baseline', 'this', 'change', certain ? '95% interval' : '', '']
  const rows = changes.map(change => [
    change.metric,
    figure(change, change.baseline),
    figure(change, change.value),
    changeText(change),
    intervalText(change),
    differenceText(change),
  ])
  return columned([head, ...rows])
}

/** Rows whose first and last column begin at the left; the others end at the right. */
function columned(rows: string[][], indent = '  '): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows.map(row => {
    const cells = row.map((cell, column) =>
      column === 0 || column === row.length - 1
        ? cell.padEnd(widths[column]!)
        : cell.padStart(widths[column]!),
    )
    return `${indent}${cells.join('  ')}`.trimEnd()
  })
}

/** Two lines for each figure, where a table has no room. */
function narrow(changes: Change[]): string[] {
  const rows = changes.map(change => [
    change.metric,
    figure(change, change.baseline),
    figure(change, change.value),
    changeText(change),
    '',
  ])
  const lines = columned([['', 'baseline', 'this', 'change', ''], ...rows], '')
  return lines.flatMap((line, index) => {
    const change = changes[index - 1]
    if (!change?.interval) return [line]
    return [line, `  ${intervalText(change)}, ${differenceText(change)}`]
  })
}

function failed(rows: string[][], columns: number): string[] {
  const lines = columned(rows)
  if (lines.every(line => line.length <= columns)) return lines
  return rows.flatMap(([condition, measured, name]) => [
    ...wrap(`${condition}: ${measured}`, columns - 2).map(line => `  ${line}`),
    ...wrap(name!, columns - 4).map(line => `    ${line}`),
  ])
}

/** What the table alone would leave open. */
function remarks({ changes, noIntervals }: ComparedWith): string[] {
  const found = noIntervals === null ? [] : [noIntervals]
  const apart = changes.filter(
    ({ change, interval }) =>
      change !== null && interval && (change < interval[0] || change > interval[1]),
  )
  if (apart.length > 0) {
    const names = apart.map(({ metric }) => metric).join(', ')
    found.push(
      `${names}: the change of the whole run lies outside the interval, which is that of a ` +
        'typical second; a few seconds decide it.',
    )
  }
  return found
}
