/** The response time as the percentile distribution of HdrHistogram, which its plotters read. */
import { countOf, supported } from './rank.ts'
import type { RunResult } from './result.ts'

/** Steps on the way from each percentile to half its distance from 100 %, as HdrHistogram has. */
const stepsPerHalf = 5

/**
 * Percentiles that too few samples support are left out, except the least and the greatest value.
 * Values are milliseconds, as wrk2 prints them, but with five decimals: with three, 20 µs would
 * have two digits left.
 */
export function loadHgrm({ histograms, responseUs, resolution }: RunResult): string {
  const buckets = histograms.responseUs
  const total = countOf(buckets)
  const lines = ['       Value     Percentile TotalCount 1/(1-Percentile)', '']
  const add = (us: number, percent: number, seen: number) => {
    const share = (percent / 100).toFixed(12)
    const inverse = percent < 100 ? ` ${(1 / (1 - percent / 100)).toFixed(2).padStart(14)}` : ''
    lines.push(`${millis(us)} ${share} ${String(seen).padStart(10)}${inverse}`)
  }
  let seen = 0
  let percent = 0
  for (const [us, count] of buckets) {
    seen += count
    while ((100 * seen) / total >= percent) {
      if (percent === 0 || supported(percent / 100, total)) add(us, percent, seen)
      const steps = stepsPerHalf * 2 ** (Math.floor(Math.log2(100 / (100 - percent))) + 1)
      percent += 100 / steps
      if (seen === total) break
    }
  }
  if (total > 0) add(buckets.at(-1)![0], 100, total)
  const mean = responseUs.mean ?? 0
  const squares = buckets.reduce((sum, [us, count]) => sum + count * (us - mean) ** 2, 0)
  const deviation = total > 0 ? Math.sqrt(squares / total) : 0
  // The buckets of yodel: octaves from the lowest value on, each divided into equal parts.
  const octaves = Math.round(Math.log2(resolution.highestUs / resolution.lowestUs))
  const parts = 2 ** Math.round(Math.log2(0.5 / resolution.relativeError))
  const whole = (count: number) => String(count).padStart(12)
  lines.push(
    `#[Mean    = ${millis(mean)}, StdDeviation   = ${millis(deviation)}]`,
    `#[Max     = ${millis(responseUs.max ?? 0)}, Total count    = ${whole(total)}]`,
    `#[Buckets = ${whole(octaves)}, SubBuckets     = ${whole(parts)}]`,
  )
  return `${lines.join('\n')}\n`
}

const millis = (us: number): string => (us / 1e3).toFixed(5).padStart(12)
