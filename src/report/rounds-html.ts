/** What rounds say of the difference between their sides, as one page. */
import type { FigureCompared } from './rounds-answers.ts'
import { compareRounds, type RoundsComparison } from './compare-rounds.ts'
import { answerText, figureCells, methodText, outcomeWords } from './compare-rounds-text.ts'
import { formatChange } from './fail-if.ts'
import { axes, figure, figureTable, line, type ChartArea } from './html/chart.ts'
import { dateText } from './html/numbers.ts'
import { html, type Markup } from './html/markup.ts'
import { page } from './html/page.ts'
import { linearScale } from './html/scale.ts'
import * as parts from './html/sections.ts'
import { formatFigure, parseMetric } from './objective.ts'
import { isValidRound, type Round, type Rounds, type SideConditions } from './rounds.ts'

export function roundsHtml(document: Rounds): string {
  const comparison = compareRounds(document)
  const { baseline, subject, startedAt, figures, reproduce } = comparison
  const rounds = document.rounds.filter(isValidRound)
  const known = figures.filter(({ unknownBecause }) => unknownBecause === null)
  return page(
    `yodel bench ${subject.address} --against ${baseline.address}`,
    html`<header>
      <p class="aside">
        yodel bench --against, <time datetime="${startedAt}">${dateText(startedAt)}</time>
      </p>
      <h1>${subject.address} against ${baseline.address}</h1>
      ${verdict(comparison)}
    </header>`,
    parts.section('figures', 'Figures', table(figures)),
    comparison.outcome === 'compared' && html`<p class="aside">${methodText(comparison)}</p>`,
    known.length > 0 &&
      parts.section(
        'rounds',
        'Round for round',
        known.map(compared => chart(compared, rounds)),
      ),
    parts.section(
      'conditions',
      'Conditions',
      parts.command(reproduce),
      parts.definitions([
        ['this', sideText(subject)],
        ['baseline', sideText(baseline)],
        ['rounds', `${comparison.rounds}, and ${comparison.leftOut} that were left out`],
        ['seed of the order', String(comparison.orderSeed)],
        ['difference that matters', `${comparison.margin * 100} %`],
      ]),
    ),
    parts.section('run', 'Of each run', parts.conditions(document.rounds[0]!.subject)),
  )
}

const sideText = ({ address, serve }: SideConditions): string =>
  serve === null ? address : `${address}, served by: ${serve}`

/**
 * The verdict. A difference is neither a pass nor a failure; if there is no comparison, the page
 * says so.
 */
function verdict(comparison: RoundsComparison): Markup {
  const { outcome, figures, noClaimBecause, missed } = comparison
  const kind = outcome === 'compared' ? 'pass' : outcome === 'failed' ? 'fail' : 'invalid'
  const sentences = outcome === 'compared' ? figures.map(answerText) : noClaimBecause
  const words = outcome === 'compared' ? 'Compared' : `${outcomeWords[outcome]}: no claim`
  return html`<div class="verdict ${kind}">
    <p><strong>${words}</strong></p>
    ${parts.bullets([...sentences, ...missed])}
  </div> `
}

const table = (figures: readonly FigureCompared[]): Markup =>
  figureTable(
    ['', 'baseline', 'this', 'change', 'interval', ''],
    figures.map(compared => {
      const { baseline, value, change, interval } = figureCells(compared)
      return [compared.metric, baseline, value, change, interval, compared.answer]
    }),
  )

/** The change in each round, their mean, and the interval. */
function chart(compared: FigureCompared, rounds: readonly Round[]): Markup {
  const { metric, kind, change, interval } = compared
  const read = parseMetric(metric)
  const pairs = rounds.map(
    ({ baseline, subject }) => [read.of(baseline)!, read.of(subject)!] as const,
  )
  const changes = pairs.map(([before, after]) => after / before - 1)
  const span = interval ? ` The dashed lines are the ends of the interval.` : ''
  return figure({
    id: `chart-${metric.replaceAll('.', '-')}`,
    heading: `Change of ${metric}`,
    caption: `Each point is a round; the line is the mean change, ${formatChange(change!)}.${span}`,
    draw: canvas => draw(canvas, changes, change!, interval),
    table: figureTable(
      ['round', 'first', 'baseline', 'this', 'change'],
      rounds.map(({ first }, index) => [
        String(index + 1),
        first === 'subject' ? 'this' : 'baseline',
        formatFigure(kind, pairs[index]![0]),
        formatFigure(kind, pairs[index]![1]),
        formatChange(changes[index]!),
      ]),
    ),
  })
}

function draw(
  canvas: ChartArea,
  changes: readonly number[],
  mean: number,
  interval: readonly [number, number] | null,
): Markup {
  const { left, right, top, bottom, xTicks, yTicks } = canvas
  const all = [0, mean, ...changes, ...(interval ?? [])].map(change => change * 100)
  const [least, most] = [Math.min(...all), Math.max(...all)]
  // Round limits, so that there is a tick at 0.
  const unit = 10 ** Math.floor(Math.log10(Math.max(most - least, 1e-3)))
  const min = Math.floor(least / unit) * unit
  const y = linearScale({ min, max: most, from: bottom, to: top, ticks: yTicks })
  const x = linearScale({ min: 0, max: changes.length, from: left, to: right, ticks: xTicks })
  const across = (change: number) => `M${left} ${y.at(change * 100)}H${right}`
  const percent = (value: number) => `${Number(value.toPrecision(3))}\u00a0%`
  return html`${axes(
      canvas,
      { scale: x, name: 'round', text: String },
      { scale: y, name: 'change', text: percent },
    )}${line('first', across(mean))}${interval?.map(end => line('plan', across(end)))}
    <g class="dots"
      >${changes.map(
        (change, index) =>
          html`<circle cx="${x.at(index + 1)}" cy="${y.at(change * 100)}" r="4" />`,
      )}</g
    > `
}
