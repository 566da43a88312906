/** The comparison of rounds for people: a table, and an answer for each figure. */
import { formatCount, plural } from '../vocabulary/units.ts'
import { printable } from '../vocabulary/text.ts'
import type { FigureCompared } from './rounds-answers.ts'
import { wrap, type Canvas } from './bars.ts'
import type { RoundsComparison } from './compare-rounds.ts'
import { columned } from './columns.ts'
import { changeSpan, formatChange, type CheckedCondition } from './fail-if.ts'
import { formatFigure } from './objective.ts'
import { exactPairsMax, drawnAssignments } from './randomization.ts'
import type { SideConditions } from './rounds.ts'
import { comparisonStanding } from './standing.ts'
import { verdictAlone, verdictFirst, type Said } from './verdict-text.ts'

/** Recommending more rounds than this makes no sense. */
const manyRounds = 1_000

export function compareRoundsText(comparison: RoundsComparison, canvas: Canvas): string {
  const { columns } = canvas
  const { figures, outcome, noClaimBecause, conditions, missed } = comparison
  const blocks: string[][] = [
    comparisonHead(comparison).flatMap(line => wrap(line, columns)),
    table(figures, columns),
  ]
  const sentences =
    outcome === 'compared'
      ? [...figures.map(answerText), methodText(comparison)]
      : [`${outcomeWords[outcome]}: no claim. ${noClaimBecause.join(' ')}`]
  blocks.push(sentences.flatMap(sentence => wrap(sentence, columns)))
  const verdicts = [...missed.map(text => `FAILED: ${text}`), ...conditions.map(conditionText)]
  if (verdicts.length > 0) blocks.push(verdicts.flatMap(text => wrap(text, columns)))
  const text = blocks.map(lines => lines.join('\n')).join('\n\n')
  const said = saidOf(comparison)
  const first = verdictFirst(said, canvas).lines.join('\n')
  // A file may come from anywhere.
  return `${first}\n\n${printable(text, { keepLines: true })}\n\n${verdictAlone(said, canvas)}\n`
}

/**
 * The verdict. A condition of `--fail-if` that holds, or a run that failed, makes it FAIL. A
 * difference by itself does not.
 */
function saidOf(comparison: RoundsComparison): Said {
  const { noClaimBecause, missed, conditions } = comparison
  const held = conditions.filter(({ held }) => held === 'yes')
  const because = [
    ...missed,
    ...held.map(({ condition, measured }) => `${condition}: ${measured}.`),
    ...noClaimBecause,
  ]
  const passed =
    conditions.length > 0 ? 'nothing that --fail-if forbids was shown.' : 'the sides were compared.'
  return { standing: comparisonStanding(comparison), because, passed }
}

export const outcomeWords = {
  compared: 'Compared',
  unlike: 'UNLIKE',
  invalid: 'INVALID',
  incomplete: 'INCOMPLETE',
  failed: 'FAILED',
} as const

export function comparisonHead(comparison: RoundsComparison): string[] {
  const { baseline, subject, rounds, leftOut, startedAt, orderSeed } = comparison
  const left = leftOut > 0 ? `; ${formatCount(leftOut)} more left out, not valid` : ''
  return [
    `baseline: ${sideText(baseline)}`,
    `this:     ${sideText(subject)}`,
    `${plural(rounds, 'round')} from ${startedAt.replace(/\.\d+Z$/, 'Z')}, a run of each in turn` +
      `${left}; the order is that of --order-seed ${orderSeed}`,
  ]
}

const sideText = ({ address, serve }: SideConditions): string =>
  serve === null ? address : `${address}, served by: ${serve}`

/** The cells of a figure in a table. */
export const figureCells = ({ kind, baseline, value, change, interval }: FigureCompared) => {
  const written = (figure: number | null) => (figure === null ? 'n/a' : formatFigure(kind, figure))
  return {
    baseline: written(baseline),
    value: written(value),
    change: change === null ? '' : formatChange(change),
    interval: interval ? changeSpan(interval) : '',
  }
}

function table(figures: readonly FigureCompared[], columns: number): string[] {
  const certain = figures.some(({ interval }) => interval)
  const rows = figures.map(figure => {
    const cells = figureCells(figure)
    return [figure.metric, cells.baseline, cells.value, cells.change, cells.interval, '']
  })
  const head = ['', 'baseline', 'this', 'change', certain ? 'interval' : '', '']
  const lines = columned([head, ...rows])
  if (lines.every(line => line.length <= columns)) return lines
  return columned([head, ...rows].map(row => [...row.slice(0, 4), '']))
}

/** From here on changes are written as multiples. */
const manyTimes = 9

/** The change without its sign, with enough digits that it is not shown as 0. */
function sizeText(change: number): string {
  const percent = Math.abs(change) * 100
  const text = percent >= 1 ? percent.toFixed(percent < 99.95 ? 1 : 0) : percent.toPrecision(2)
  return `${Number(text)}%`
}

/** The answer in a sentence. */
export function answerText(figure: FigureCompared): string {
  const { metric, answer, change, interval, unknownBecause, moreRounds } = figure
  if (unknownBecause !== null) return `${metric}: ${unknownBecause}.`
  if (answer === 'cannot tell') {
    const span = interval && changeSpan(interval).replace(' to ', ' and ')
    return `${metric}: cannot tell${span ? `: between ${span}` : ''}; ${moreText(moreRounds!)}`
  }
  const sizes = interval!.map(end => Math.abs(end)).toSorted((a, b) => a - b)
  if (answer === 'no difference')
    return `${metric}: no difference larger than ${sizeText(sizes[1]!)}.`
  if (change! >= manyTimes)
    return `${metric}: ${answer}, ${formatChange(change!)} (${changeSpan(interval!)}).`
  const [low, high] = sizes.map(sizeText)
  return `${metric}: ${answer} by ${sizeText(change!)} (${low} to ${high}).`
}

const moreText = (rounds: number): string =>
  rounds > manyRounds
    ? `not even ${formatCount(manyRounds)} more rounds would decide it. Make each longer.`
    : `about ${plural(rounds, 'more round')} would decide it.`

/** The method behind the claims. */
export function methodText({ figures, exact, confidence, rounds }: RoundsComparison): string {
  const known = figures.filter(({ unknownBecause }) => unknownBecause === null)
  const names = known.map(({ metric }) => metric).join(', ')
  const signs =
    exact && rounds <= exactPairsMax
      ? `all ${formatCount(2 ** rounds)} assignments of signs`
      : `${formatCount(drawnAssignments)} assignments of signs, drawn by the seed of the order`
  const wrong = Math.round((1 - confidence) * 100)
  return (
    `A randomisation test over the rounds (${signs}), with Holm's correction over ${names}: ` +
    `where nothing differs, at most ${wrong} of 100 such comparisons say that anything does.`
  )
}

const conditionWords = { yes: 'FAILED', no: 'Passed', unknown: 'Not shown' }
const conditionText = ({ condition, held, measured }: CheckedCondition): string =>
  `${conditionWords[held]}: ${condition}: ${measured}`
