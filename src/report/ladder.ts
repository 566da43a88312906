/** A distribution in lines: its percentiles as far as the samples reach, and its shape. */
import { formatCount, formatDuration } from '../vocabulary/units.ts'
import { barBlock, wrap, type Canvas } from './bars.ts'
import { countOf, rankOf, supported, type Buckets } from './rank.ts'

export const micros = (us: number): string => formatDuration(us / 1e3)

const rungs = [0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 0.99999]

export interface Rung {
  percent: number
  us: number
  /** How many samples are above this rank. */
  above: number
}

/** The percentiles that the samples support, and the maximum. */
export function ladder(buckets: Buckets): Rung[] {
  const count = countOf(buckets)
  if (count === 0) return []
  const wanted = [...rungs.filter(quantile => supported(quantile, count)), 1]
  const found: Rung[] = []
  let seen = 0
  let at = -1
  for (const quantile of wanted) {
    const rank = rankOf(quantile, count)
    while (seen < rank) seen += buckets[++at]![1]
    const percent = Math.round(quantile * 1e5) / 1e3
    found.push({ percent, us: buckets[at]![0], above: count - rank })
  }
  return found
}

/** A line for each percentile, with the number of samples above it, which shows how sure it is. */
export function ladderBlock(name: string, buckets: Buckets, { columns }: Canvas): string[] {
  const rows = ladder(buckets).map(({ percent, us, above }) => [
    `${percent} %`,
    micros(us),
    above === 0 ? 'the longest' : `${formatCount(above)} above`,
  ])
  const width = (column: number) => Math.max(...rows.map(row => row[column]!.length))
  const lines = rows.map(row =>
    row.reduce((line, cell, column) => `${line}  ${cell.padStart(width(column))}`, ''),
  )
  return [...wrap(`${name} by percentile, and how many samples lie above`, columns), ...lines]
}

export interface Bin {
  fromUs: number
  count: number
}

const binCount = 11
/** The least ratio of two limits: closer ones would look the same with three digits. */
const leastRatio = 1.05

/** Bins that are equally wide on a logarithmic scale, with round limits. */
export function bins(buckets: Buckets): Bin[] {
  if (buckets.length === 0) return []
  const minUs = Math.max(1e-3, buckets[0]![0])
  const maxUs = Math.max(minUs, buckets.at(-1)![0])
  const ratio = Math.max(leastRatio, (maxUs / minUs) ** (1 / binCount))
  const digits = ratio >= 1.3 ? 2 : 3
  const unit = 10 ** (Math.floor(Math.log10(minUs)) - digits + 1)
  const firstUs = Math.floor(minUs / unit) * unit
  const found: Bin[] = []
  for (let n = 0; ; n++) {
    const fromUs = Number((firstUs * ratio ** n).toPrecision(digits))
    if (n > 0 && fromUs > maxUs) break
    found.push({ fromUs, count: 0 })
  }
  let at = 0
  for (const [us, count] of buckets) {
    while (at + 1 < found.length && us >= found[at + 1]!.fromUs) at++
    found[at]!.count += count
  }
  return found
}

/** How often each time occurred, as bars. */
export function shapeBlock(name: string, buckets: Buckets, canvas: Canvas): string[] {
  const total = countOf(buckets)
  const found = bins(buckets)
  const labels = found.map(({ fromUs }) => micros(fromUs))
  const counts = found.map(({ count }) => formatCount(count))
  const [labelWidth, countWidth] = [labels, counts].map(texts =>
    Math.max(...texts.map(text => text.length)),
  ) as [number, number]
  const bars = found.map(({ count }, n) => ({
    label: labels[n]!.padStart(labelWidth),
    value: count,
    text: `${counts[n]!.padStart(countWidth)}  ${percent(count / total).padStart(7)}`,
  }))
  const title = wrap(
    `${name}, how often: from this time up to that of the next line`,
    canvas.columns,
  )
  return [...title, ...barBlock('', bars, canvas).slice(1)]
}

/** A share above 0 is never shown as 0 %, and a share below 1 never as 100 %. */
function percent(share: number): string {
  if (share > 0 && share < 0.001) return '<0.1 %'
  if (share < 1 && share > 0.999) return '>99.9 %'
  return share === 0 || share === 1 ? `${share * 100} %` : `${(share * 100).toFixed(1)} %`
}
