/** How the times are spread: the percentile curve, and the histogram. */
import { plural } from '../../vocabulary/units.ts'
import { countOf, leastBeyond, ranked, supported, type Buckets } from '../rank.ts'
import type { RunResult } from '../result.ts'
import { axes, figure, figureTable, line, type ChartArea, type LineStyle } from './chart.ts'
import { axisCount, axisTime, countText, shareText, timeText } from './numbers.ts'
import { html, type Markup } from './markup.ts'
import { fittingScale, linearScale, logScale, type Scale } from './scale.ts'
import { vertical } from './time-charts.ts'

const quantile = (buckets: Buckets, q: number): number => ranked(buckets, q)!

const percentTicks = [0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999, 0.9999999]
/** 0.999 → `99.9 %` */
const percentText = (q: number): string => `${Number((q * 100).toFixed(9))}\u00a0%`

const inverseText = (inverse: number): string => percentText(1 - 1 / inverse)

/** Ticks whose words do not touch those before them. */
function withRoom({ ticks, at }: Scale): number[] {
  const halfWidth = (tick: number) => inverseText(tick).length * 4 + 2
  let end = -Infinity
  return ticks.filter(tick => {
    const fits = at(tick) - halfWidth(tick) >= end
    if (fits) end = at(tick) + halfWidth(tick)
    return fits
  })
}

export function percentileChart({ histograms }: RunResult): Markup {
  const { responseUs, serviceUs } = histograms
  const differ = serviceUs.length > 0 && JSON.stringify(responseUs) !== JSON.stringify(serviceUs)
  const curves: { name: string; style: LineStyle; buckets: Buckets }[] = [
    { name: 'response: from the planned instant', style: 'first', buckets: responseUs },
  ]
  if (differ)
    curves.push({ name: 'service: from the real send', style: 'second', buckets: serviceUs })
  const low = Math.min(...curves.map(({ buckets }) => buckets[0]![0]))
  const samples = countOf(responseUs)
  const end = Math.max(0.5, 1 - leastBeyond / samples)
  const high = Math.max(...curves.map(({ buckets }) => quantile(buckets, end)))
  const ticks = percentTicks.filter(q => q === 0 || supported(q, samples))
  const draw = (canvas: ChartArea) => {
    const { left, right } = canvas
    const x = percentScale(samples, left, right, ticks)
    const y = fittingScale({ min: low, max: high, ...vertical(canvas) })
    const shown = { ...x, ticks: withRoom(x) }
    const name = `time${y.log ? ' (logarithmic)' : ''}`
    const frame = axes(
      canvas,
      {
        scale: shown,
        name: 'share of messages that took no longer',
        text: inverseText,
      },
      { scale: y, name, text: axisTime },
    )
    const lines = curves.map(({ style, buckets }) => line(style, curvePath(buckets, x, y)))
    return html`${frame}${lines.toReversed()}`
  }
  const told = [0.5, 0.99, 0.999].filter(q => ticks.includes(q))
  const values = told.map(q => `${percentText(q)} within ${timeText(quantile(responseUs, q))}`)
  return figure({
    id: 'percentiles',
    heading: 'Percentiles',
    caption:
      `${[...values, `100\u00a0% within ${timeText(responseUs.at(-1)![0])}`].join(', ')}. ` +
      `The line ends where ${leastBeyond} samples lie beyond it.`,
    legend: differ ? curves : [],
    draw,
    table: figureTable(
      ['share', ...(differ ? ['response', 'service'] : ['time'])],
      [...ticks, 1].map(q => [
        percentText(q),
        ...curves.map(({ buckets }) => timeText(quantile(buckets, q))),
      ]),
    ),
  })
}

/**
 * The scale of percentiles, by 1 / (1 - percentile), so that each further nine has the same width.
 * It ends with the last percentile that the samples support.
 */
function percentScale(samples: number, from: number, to: number, quantiles: number[]): Scale {
  const max = Math.max(2, samples / leastBeyond)
  const at = (inverse: number) => {
    const share = Math.max(0, Math.min(1, Math.log(inverse) / Math.log(max)))
    return Number((from + share * (to - from)).toFixed(2))
  }
  const ticks = quantiles.map(q => Math.round(1 / (1 - q)))
  return { at, ticks, log: true, min: 1, max }
}

/** Steps up from bucket to bucket; those that share a place become one. */
function curvePath(buckets: Buckets, x: Scale, y: Scale): string {
  const samples = countOf(buckets)
  let path = `M${x.at(1)} ${y.at(buckets[0]![0])}`
  let seen = 0
  let [lastX, lastY] = [x.at(1), y.at(buckets[0]![0])]
  for (const [index, [us, count]] of buckets.entries()) {
    seen += count
    const atX = seen < samples ? x.at(samples / (samples - seen)) : x.at(x.max)
    const atY = y.at(us)
    const near = atX - lastX < 0.5 && Math.abs(atY - lastY) < 0.5
    if (near && index < buckets.length - 1) continue
    path += `V${atY}H${atX}`
    ;[lastX, lastY] = [atX, atY]
    if (atX >= x.at(x.max)) break
  }
  return path
}

interface BinRange {
  fromUs: number
  toUs: number
  count: number
}

/** The most bins: with few samples narrow bins would show single samples. */
const binsMax = (samples: number, room: number): number =>
  Math.min(room, Math.ceil(4 * Math.sqrt(samples)))

/** At most `most` bins, of the same width on a logarithmic axis. */
export function binsOf(buckets: Buckets, most: number): BinRange[] {
  const [low, high] = [buckets[0]![0], buckets.at(-1)![0]]
  const decades = Math.max(Math.log10(high / low), 1e-9)
  const perDecade =
    [200, 100, 50, 40, 30, 20, 15, 10, 5, 3, 2, 1].find(n => decades * n + 2 <= most) ?? 1
  const indexOf = (us: number) => Math.floor(Math.log10(us) * perDecade + 1e-9)
  // Leaves room beside a single bar, which alone would show nothing.
  const spare = indexOf(high) - indexOf(low) < 3 ? 3 : 0
  const first = indexOf(low) - spare
  const bins = Array.from({ length: indexOf(high) + spare - first + 1 }, (_, index) => ({
    fromUs: 10 ** ((first + index) / perDecade),
    toUs: 10 ** ((first + index + 1) / perDecade),
    count: 0,
  }))
  for (const [us, count] of buckets) bins[indexOf(us) - first]!.count += count
  return bins
}

const marks = [
  ['p50', 0.5],
  ['p99', 0.99],
  ['p99.9', 0.999],
] as const

export function histogramChart({ histograms: { responseUs } }: RunResult): Markup {
  const samples = countOf(responseUs)
  const draw = (canvas: ChartArea) => {
    const bins = binsOf(responseUs, binsMax(samples, canvas.name === 'wide' ? 80 : 40))
    const { left, right, bottom, xTicks, yTicks } = canvas
    const ends = { min: bins[0]!.fromUs, max: bins.at(-1)!.toUs }
    const x = exactLogScale(ends.min, ends.max, left, right, xTicks)
    const most = bins.reduce((most, { count }) => Math.max(most, count), 0)
    // Messages are whole.
    const y = linearScale({ min: 0, max: most, ...vertical(canvas), ticks: Math.min(yTicks, most) })
    const bars = bins.map(({ fromUs, toUs, count }) => {
      if (count === 0) return false
      const [start, end] = [x.at(fromUs), x.at(toUs)]
      // A value above 0 is never drawn as nothing.
      const barTop = Math.min(y.at(count), bottom - 1)
      const gap = end - start > 4 ? 1 : 0
      return html`<path
        d="M${start} ${bottom}V${barTop}H${Number((end - gap).toFixed(2))}V${bottom}Z"
        ><title>
          ${timeText(fromUs)} to ${timeText(toUs)}: ${countText(count)}
          (${shareText(count / samples)})
        </title></path
      > `
    })
    const frame = axes(
      canvas,
      { scale: x, name: 'response time (logarithmic)', text: axisTime },
      { scale: y, name: 'messages', text: value => axisCount(value, y.max) },
    )
    return html`${frame}<g class="bars">${bars}</g>${percentileMarks(responseUs, x, canvas)}`
  }
  const [low, high] = [quantile(responseUs, 0.05), quantile(responseUs, 0.95)]
  return figure({
    id: 'histogram',
    heading: 'Histogram of the response time',
    caption:
      `${plural(samples, 'message')} in bins of equal width on a logarithmic axis; nine of ten ` +
      `took between ${timeText(low)} and ${timeText(high)}.`,
    draw,
    table: figureTable(
      ['from', 'to', 'messages', 'share'],
      binsOf(responseUs, binsMax(samples, 40))
        .filter(({ count }) => count > 0)
        .map(({ fromUs, toUs, count }) => [
          timeText(fromUs),
          timeText(toUs),
          countText(count),
          shareText(count / samples),
        ]),
    ),
  })
}

/** Logarithmic between exactly these ends, so that the bins fill it. */
function exactLogScale(min: number, max: number, from: number, to: number, ticks: number): Scale {
  const around = logScale({ min, max, from, to, ticks })
  const at = (us: number) => {
    const share = Math.log(Math.max(us, min) / min) / Math.log(max / min)
    return Number((from + Math.min(1, share) * (to - from)).toFixed(2))
  }
  const inside = around.ticks.filter(tick => tick >= min * 0.999 && tick <= max * 1.001)
  // Within a part of a decade there may be no round number: then the ends.
  return { at, ticks: inside.length > 1 ? inside : [min, max], log: true, min, max }
}

/** Where the percentiles are; names that would overlap are set in different heights. */
function percentileMarks(buckets: Buckets, x: Scale, { top, right, bottom }: ChartArea): Markup {
  const taken: { row: number; from: number; to: number }[] = []
  const shown = marks.filter(([, q]) => supported(q, countOf(buckets)))
  const drawn = shown.map(([name, q]) => {
    const at = x.at(quantile(buckets, q))
    const atEnd = at > right - 45
    const [side, place] = atEnd ? ['end', at - 4] : ['start', at + 4]
    const [from, to] = atEnd ? [at - 50, at] : [at, at + 50]
    const inTheWay = taken.filter(other => other.from < to && other.to > from)
    const row = [0, 1, 2].find(row => inTheWay.every(other => other.row !== row))!
    taken.push({ row, from, to })
    const path = `M${at} ${top}V${bottom}`
    return html`<path d="${path}" />
      <text class="${side}" x="${place}" y="${top + 10 + row * 16}">${name}</text> `
  })
  return html`<g class="marks">${drawn}</g>`
}
