/** Latency under load as a page: two curves in one chart. */
import { axes, figure, figureTable, line, type ChartArea } from '../html/chart.ts'
import { axisTime, clockText, dateText, timeText } from '../html/numbers.ts'
import { html, type Markup } from '../html/markup.ts'
import { page } from '../html/page.ts'
import { fittingScale, timeScale } from '../html/scale.ts'
import { command, definitions, expectations, bullets, section } from '../html/sections.ts'
import { vertical } from '../html/time-charts.ts'
import type { Interval, RunResult } from '../result.ts'
import { grades, ranks, type LoadedResult } from './loaded.ts'
import { perMinute } from './loaded-text.ts'
import { formatBits } from './bits.ts'

export function loadedHtml(result: LoadedResult): string {
  const { run, grade, verdict, failedBecause, flows } = result
  const meaning = grades.find(({ word }) => word === grade)?.meaning
  const rates = (['up', 'down'] as const).flatMap(side => {
    const perSecond = flows[side]?.bytesPerSecond
    return perSecond == null ? [] : [[side, formatBits(perSecond)] as [string, string]]
  })
  return page(
    `yodel bench ${run.address}: latency under load`,
    html`<header>
        <p class="aside">
          yodel bench --load ${run.load},
          <time datetime="${run.startedAt}">${dateText(run.startedAt)}</time>
        </p>
        <h1>${run.address}</h1>
        <div class="verdict ${verdict}">
          <p><strong>Bufferbloat: ${grade ?? 'not known'}</strong>${meaning && `: ${meaning}`}</p>
          ${failedBecause.length > 0 && bullets(failedBecause)}
        </div>
      </header>
      ${section('figures', 'Figures', percentiles(result))}
      ${section('time', 'Second by second', chart(result))}
      ${
        result.expectations.length > 0 &&
        section('expectations', 'Expectations', expectations(result))
      }
      ${section(
        'conditions',
        'Conditions',
        definitions([...rates, perMinute(result), ['do it again', command(run.reproduce)]]),
      )} `,
  )
}

const percentiles = ({ idleUs, loadedUs, addedUs }: LoadedResult): Markup =>
  figureTable(
    ['round trip', ...ranks],
    [
      ['idle', ...ranks.map(rank => timeText(idleUs[rank]))],
      ['loaded', ...ranks.map(rank => timeText(loadedUs[rank]))],
      ['added', ...ranks.map(rank => timeText(addedUs[rank]))],
    ],
  )

/** The median of each second, where something came back. */
const mediansOf = ({ intervals }: RunResult): [second: number, us: number][] =>
  intervals.flatMap(({ second, seconds, responseUs }: Interval) => {
    const us = responseUs.p50 ?? responseUs.mean
    return us === null ? [] : [[second + seconds / 2, us] as [number, number]]
  })

function chart({ idle, loaded }: LoadedResult): Markup {
  const curves = [
    { name: 'idle', style: 'first', points: mediansOf(idle) },
    { name: 'loaded', style: 'second', points: mediansOf(loaded) },
  ] as const
  const all = curves.flatMap(({ points }) => points.map(([, us]) => us))
  if (all.length === 0) return html`<p>Nothing came back, so there are no times to show.</p>`
  const lastSecond = Math.max(...curves.flatMap(({ points }) => points.map(([at]) => at))) + 0.5
  const draw = (canvas: ChartArea) => {
    const { left, right, xTicks } = canvas
    const x = timeScale({ max: lastSecond, from: left, to: right, ticks: xTicks })
    const y = fittingScale({ min: Math.min(...all), max: Math.max(...all), ...vertical(canvas) })
    const name = `median of a second${y.log ? ' (logarithmic)' : ''}`
    const time = { scale: x, name: 'time', text: (at: number) => clockText(at, x.max) }
    return html`${axes(canvas, time, { scale: y, name, text: axisTime })}${curves.map(
      ({ style, points }) => line(style, pathOf(points, x.at, y.at)),
    )}`
  }
  return figure({
    id: 'latency',
    heading: 'Round trips, idle and under load',
    caption:
      'The same round trips in both: first on the idle path, then while flows fill it. ' +
      'The distance between the curves is what waits in buffers on the way.',
    legend: curves.map(({ name, style }) => ({ name, style })),
    draw,
  })
}

const pathOf = (
  points: readonly (readonly [number, number])[],
  x: (at: number) => number,
  y: (us: number) => number,
): string => points.map(([at, us], n) => `${n === 0 ? 'M' : 'L'}${x(at)} ${y(us)}`).join('')
