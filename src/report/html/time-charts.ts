/** What happened second by second: the rate, and the response time. */
import { plural } from '../../vocabulary/units.ts'
import type { Interval, RunResult } from '../result.ts'
import { axes, figure, figureTable, line, type ChartArea, type LineStyle } from './chart.ts'
import { axisCount, axisTime, clockText, countText, rateText, timeText } from './numbers.ts'
import { html, type Markup } from './markup.ts'
import { fittingScale, linearScale, timeScale, type Scale } from './scale.ts'
import { marksCaption, planLine, ratesOf, stageColumn, stageMarks } from './stages.ts'

type Value = (interval: Interval) => number | null

/** An interval from this length on counts as a whole second, since timers are not exact. */
const wholeSecond = 0.9

export function rateChart(result: RunResult): Markup {
  const { intervals, run } = result
  const changes = result.stages !== undefined
  // With stages the rate of the options is their mean.
  const planned = changes ? 0 : Number(run.options['ratePerSecond']) || 0
  const rates = intervals.map(({ ratePerSecond }) => ratePerSecond)
  const top = largest([...rates, planned, ...ratesOf(result)])
  const stage = stageColumn(result)
  const failing = intervals.filter(({ errors }) => errors > 0)
  const draw = (canvas: ChartArea) => {
    const x = secondsScale(intervals, canvas)
    const y = linearScale({ min: 0, max: top, ...vertical(canvas) })
    const path = linePath(intervals, interval => interval.ratePerSecond, x, y, columns(canvas))
    const names = {
      x: secondsAxis(x),
      y: { scale: y, name: 'messages/s', text: (value: number) => axisCount(value, y.max) },
    }
    return html`${axes(canvas, names.x, names.y)}${stageMarks(result, x, canvas)}${planLine(
        result,
        x,
        y,
      )}${
        planned > 0 && line('plan', `M${canvas.left} ${y.at(planned)}H${canvas.right}`)
      }${line('first', path)}
      <g class="failures">${crosses(failing, x, canvas.top + 6)}</g>
      ${hover(intervals, x, canvas)}`
  }
  const marked = plural(failing.length, 'second')
  const crossed = failing.length > 0 ? ` ✕ marks where failures were: ${marked}.` : ''
  return figure({
    id: 'rate',
    heading: 'Rate over time',
    caption: `${rateCaption(intervals)}${crossed}${marksCaption(result)}${thinned(intervals)}`,
    legend:
      changes || planned > 0
        ? [
            { name: 'received', style: 'first' },
            { name: changes ? 'planned' : `planned: ${rateText(planned)}/s`, style: 'plan' },
          ]
        : [],
    draw,
    ...tableNameOf(intervals),
    table: figureTable(
      ['from', 'messages/s', 'sent', 'received', 'failures', ...stage.head],
      rowsOf(intervals).map(each => [
        from(each, intervals),
        rateText(each.ratePerSecond),
        countText(each.sent),
        countText(each.received),
        countText(each.errors),
        ...stage.cellOf(each),
      ]),
    ),
  })
}

export function latencyChart(result: RunResult): Markup {
  const { intervals } = result
  const curves: { name: 'p50' | 'p99' | 'max'; style: LineStyle }[] = [
    { name: 'max', style: 'third' },
    { name: 'p99', style: 'second' },
    { name: 'p50', style: 'first' },
  ]
  const known = (name: 'min' | 'p50' | 'p99' | 'max') =>
    intervals.map(({ responseUs }) => responseUs[name]).filter(value => value !== null)
  const [low, high] = [-largest(known('p50').map(value => -value)), largest(known('max'))]
  if (high === -Infinity) return html`<p>Nothing came back, so there are no response times.</p>`
  const drawn = curves.filter(({ name }) => known(name).length > 0)
  const draw = (canvas: ChartArea) => {
    const x = secondsScale(intervals, canvas)
    const y = fittingScale({ min: low, max: high, ...vertical(canvas) })
    const lines = drawn.map(({ name, style }) =>
      line(
        style,
        linePath(intervals, each => each.responseUs[name], x, y, columns(canvas)),
      ),
    )
    const name = `response time${y.log ? ' (logarithmic)' : ''}`
    const frame = axes(canvas, secondsAxis(x), { scale: y, name, text: axisTime })
    return html`${frame}${stageMarks(result, x, canvas)}${lines}${hover(intervals, x, canvas)}`
  }
  const stage = stageColumn(result)
  const silent = intervals.filter(({ responseUs }) => responseUs.count === 0).length
  const gaps = silent > 0 ? ` In ${plural(silent, 'second')} nothing came back: the gaps.` : ''
  return figure({
    id: 'latency',
    heading: 'Response time over time',
    caption: `${latencyCaption(intervals)}${gaps}${marksCaption(result)}${thinned(intervals)}`,
    legend: drawn.toReversed(),
    draw,
    ...tableNameOf(intervals),
    table: figureTable(
      ['from', 'p50', 'p99', 'p99.9', 'max', ...stage.head],
      rowsOf(intervals).map(each => [
        from(each, intervals),
        ...(['p50', 'p99', 'p999', 'max'] as const).map(name => timeText(each.responseUs[name])),
        ...stage.cellOf(each),
      ]),
    ),
  })
}

function rateCaption(intervals: readonly Interval[]): string {
  // The rate of a few milliseconds cannot be compared with that of a second.
  const whole = intervals.filter(({ seconds }) => seconds >= wholeSecond)
  const shown = whole.length > 0 ? whole : intervals
  const by = shown.toSorted((a, b) => a.ratePerSecond - b.ratePerSecond)
  const [low, high] = [by[0]!, by.at(-1)!]
  if (by.length === 1) return `${rateText(low.ratePerSecond)} messages per second came back.`
  return (
    `Second by second between ${rateText(low.ratePerSecond)} and ` +
    `${rateText(high.ratePerSecond)} messages came back per second; ` +
    `the fewest at ${from(low, intervals)}.`
  )
}

function latencyCaption(intervals: readonly Interval[]): string {
  const worst = intervals.toSorted((a, b) => (b.responseUs.max ?? 0) - (a.responseUs.max ?? 0))[0]!
  const medians = intervals.map(({ responseUs }) => responseUs.p50 ?? 0).toSorted((a, b) => a - b)
  const [low, high] = [medians.find(value => value > 0), medians.at(-1)]
  return (
    `The median of a second was ${low === high ? '' : `between ${timeText(low)} and `}` +
    `${timeText(high)}; the worst message took ${timeText(worst.responseUs.max)}, ` +
    `at ${from(worst, intervals)}.`
  )
}

/** When it began; and how long it was, where that is not a second. */
function from({ second, seconds }: Interval, intervals: readonly Interval[]): string {
  const began = clockText(second, endOf(intervals))
  return Math.abs(seconds - 1) < 0.05 ? began : `${began}, for ${timeText(seconds * 1e6)}`
}

const endOf = (intervals: readonly Interval[]): number => {
  const last = intervals.at(-1)
  return last ? last.second + last.seconds : 0
}

/** Not Math.max(...values): there may be more values than a call takes. */
const largest = (values: readonly number[]): number =>
  values.reduce((most, value) => Math.max(most, value), -Infinity)

const secondsScale = (intervals: readonly Interval[], { left, right, xTicks }: ChartArea): Scale =>
  timeScale({ max: endOf(intervals), from: left, to: right, ticks: xTicks })

const secondsAxis = (scale: Scale) => ({
  scale,
  name: 'time after the warm-up',
  text: (second: number) => clockText(second, scale.max),
})

export const vertical = ({ bottom, top, yTicks }: ChartArea) => ({
  from: bottom,
  to: top,
  ticks: yTicks,
})

/** How many steps can be seen one by one. */
const columns = ({ left, right }: ChartArea): number => Math.floor((right - left) / 4)
const groupSize = (intervals: readonly Interval[], columns: number): number =>
  Math.ceil(intervals.length / columns)

/** A sentence for charts in which several seconds share a step. */
const thinned = (intervals: readonly Interval[]): string =>
  intervals.length > 200
    ? ` The lines of ${countText(intervals.length)} seconds are thinned out: where several share` +
      ' a place, their lowest and their highest value are drawn.'
    : ''

/** Steps, one for each interval; or, if there are too many, the extremes of each group. */
function linePath(
  intervals: readonly Interval[],
  value: Value,
  x: Scale,
  y: Scale,
  columns: number,
): string {
  const size = groupSize(intervals, columns)
  let path = ''
  let pen = 'M'
  for (let at = 0; at < intervals.length; at += size) {
    const group = intervals.slice(at, at + size)
    const points = group.filter(interval => value(interval) !== null)
    if (points.length === 0) {
      pen = 'M'
      continue
    }
    if (size === 1) {
      const { second, seconds } = points[0]!
      path += `${pen}${x.at(second)} ${y.at(value(points[0]!)!)}H${x.at(second + seconds)}`
    } else {
      for (const point of extremes(points, value)) {
        path += `${pen}${x.at(point.second + point.seconds / 2)} ${y.at(value(point)!)}`
        pen = 'L'
      }
    }
    pen = 'L'
  }
  return path
}

/** The intervals with the lowest and the highest value, in the order of time. */
function extremes(points: readonly Interval[], value: Value): Interval[] {
  const by = points.toSorted((a, b) => value(a)! - value(b)!)
  return [by[0]!, by.at(-1)!].toSorted((a, b) => a.second - b.second)
}

/** A cross for each second; crosses that would overlap become one. */
function crosses(failing: readonly Interval[], x: Scale, y: number): Markup[] {
  const places = failing.map(({ second, seconds }) => x.at(second + seconds / 2))
  const apart: number[] = []
  for (const place of places) if (place - (apart.at(-1) ?? -Infinity) >= 6) apart.push(place)
  return apart.map(place => html`<path d="M${place - 4} ${y - 4}l8 8m0-8l-8 8" />`)
}

/** The tooltip of a second. */
function hover(intervals: readonly Interval[], x: Scale, canvas: ChartArea): Markup | false {
  if (canvas.name !== 'wide' || intervals.length > 120) return false
  return html`<g class="hover"
    >${intervals.map(each => {
      const start = x.at(each.second)
      const { p50, p99, max } = each.responseUs
      return html`<rect
        x="${start}"
        y="${canvas.top}"
        height="${canvas.bottom - canvas.top}"
        width="${Number((x.at(each.second + each.seconds) - start).toFixed(2))}"
        ><title>
          ${from(each, intervals)}: ${rateText(each.ratePerSecond)}/s, p50 ${timeText(p50)}, p99
          ${timeText(p99)}, max ${timeText(max)}, failures ${countText(each.errors)}
        </title></rect
      > `
    })}</g
  >`
}

/** A table with more rows would be too long to read: it gets only those of the worst seconds. */
const rowsMax = 120
const tableNameOf = ({ length }: readonly Interval[]): { tableName?: string } =>
  length > rowsMax ? { tableName: `The figures of the ${rowsMax} slowest seconds` } : {}

function rowsOf(intervals: readonly Interval[]): Interval[] {
  if (intervals.length <= rowsMax) return [...intervals]
  return intervals
    .toSorted((a, b) => (b.responseUs.max ?? Infinity) - (a.responseUs.max ?? Infinity))
    .slice(0, rowsMax)
    .toSorted((a, b) => a.second - b.second)
}
