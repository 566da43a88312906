/** The comparison of runs for people: a table for each file, in 40 columns and more. */
import { formatDuration } from '../vocabulary/units.ts'
import { wrap, type Canvas } from './bars.ts'
import { columned } from './columns.ts'
import type { Change, ComparedRun, RunComparison } from './compare-runs.ts'
import { formatChange } from './fail-if.ts'
import { formatFigure } from './objective.ts'
import { printable } from '../vocabulary/text.ts'
import { comparisonStanding } from './standing.ts'
import { verdictAlone, verdictFirst, type Said } from './verdict-text.ts'

export function compareText(comparison: RunComparison, canvas: Canvas): string {
  const { columns } = canvas
  const { baseline, others, warnings, failures, conditions, noClaimBecause } = comparison
  const blocks: string[][] = [wrap(`baseline: ${runText(baseline)}`, columns)]
  for (const other of others) {
    blocks.push([...wrap(runText(other), columns), ...table(other.changes)])
  }
  blocks.push(wrap(noClaimBecause, columns))
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
  const said = saidOf(comparison)
  const first = verdictFirst(said, canvas).lines.join('\n')
  // A file may come from anywhere.
  return `${first}\n\n${printable(text, { keepLines: true })}\n\n${verdictAlone(said, canvas)}\n`
}

function saidOf(comparison: RunComparison): Said {
  const { failures, conditions, warnings } = comparison
  const standing = comparisonStanding(comparison)
  const held = failures.map(
    ({ condition, name, measured }) => `${condition}: ${measured} (${name}).`,
  )
  const passed = conditions.length > 0 ? 'nothing that --fail-if forbids was found.' : 'compared.'
  return { standing, because: standing === 'INVALID' ? warnings : [...held, ...warnings], passed }
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

/** No wider than the narrowest terminal. */
function table(changes: Change[]): string[] {
  const rows = changes.map(change => [
    change.metric,
    figure(change, change.baseline),
    figure(change, change.value),
    changeText(change),
    '',
  ])
  return columned([['', 'baseline', 'this', 'change', ''], ...rows], '')
}

function failed(rows: string[][], columns: number): string[] {
  const lines = columned(rows)
  if (lines.every(line => line.length <= columns)) return lines
  return rows.flatMap(([condition, measured, name]) => [
    ...wrap(`${condition}: ${measured}`, columns - 2).map(line => `  ${line}`),
    ...wrap(name!, columns - 4).map(line => `    ${line}`),
  ])
}
