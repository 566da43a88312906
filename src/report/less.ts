/** The figures of a result without the time that the generator lost, as bounds of the true ones. */
import { countOf, ranked, supported, type Buckets } from './rank.ts'
import type { ChurnFigures, Distribution, RunResult, TouchedSamples } from './result.ts'

/**
 * The largest share that counts as lost: the generator has sent something, so it was not held up
 * all the time.
 */
const mostLost = 0.999

/** The share of the time in which the generator was held up; 0 if it is not known. */
function lostShare({ generator, seconds, run }: RunResult): number {
  const { queuedShare, stalls } = generator
  const stalled = stalls && seconds > 0 ? stalls.totalMs / 1e3 / (seconds * run.threads) : 0
  // A long wait in the queue for a processor is a stall too, so the two must not be added.
  return Math.min(mostLost, Math.max(queuedShare ?? 0, stalled))
}

/**
 * The result without the hold-up: lower bounds of the times, and the rate at the same pace. If the
 * generator was never held up, the figures are the same.
 */
export function withoutOwn(result: RunResult): RunResult {
  const { generator, rates, churn } = result
  const touched = { ...generator.touched }
  // In a closed loop the service time is the response time.
  if (rates.plannedPerSecond === null && touched.responseUs) touched.serviceUs = touched.responseUs
  const histograms: Record<string, [us: number, count: number][]> = { ...result.histograms }
  const times: Record<string, Distribution> = {}
  for (const [name, samples] of Object.entries(touched)) {
    histograms[name] = without(histograms[name] ?? [], samples)
    times[name] = distributionOf(histograms[name])
  }
  return {
    ...result,
    ...times,
    histograms,
    rates: { ...rates, achievedPerSecond: mostPerSecond(result) },
    churn: churn && { ...churn, ...mostOfChurn(churn, lostShare(result)) },
  }
}

/** The rate of short connections without the hold-up. */
function mostOfChurn({ planned, achieved }: ChurnFigures, lost: number): Partial<ChurnFigures> {
  if (achieved === undefined || lost === 0) return {}
  return { achieved: Math.min(planned, achieved / (1 - lost)) }
}

/** The rate if the generator had kept its pace in the lost time, too; never more than the plan. */
function mostPerSecond(result: RunResult): number | null {
  const { plannedPerSecond, achievedPerSecond } = result.rates
  if (achievedPerSecond === null) return null
  const most = achievedPerSecond / (1 - lostShare(result))
  return Math.max(achievedPerSecond, Math.min(most, plannedPerSecond ?? Infinity))
}

function without(buckets: Buckets, { measured, less }: TouchedSamples): [number, number][] {
  const counts = new Map<number, number>()
  const add = (list: Buckets, sign: 1 | -1) => {
    for (const [us, count] of list) counts.set(us, (counts.get(us) ?? 0) + sign * count)
  }
  add(buckets, 1)
  add(measured, -1)
  add(less, 1)
  return [...counts].filter(([, count]) => count > 0).toSorted(([a], [b]) => a - b)
}

function distributionOf(buckets: Buckets): Distribution {
  const count = countOf(buckets)
  const at = (quantile: number) => (supported(quantile, count) ? ranked(buckets, quantile) : null)
  return {
    count,
    min: buckets[0]?.[0] ?? null,
    mean: count > 0 ? buckets.reduce((sum, [us, n]) => sum + us * n, 0) / count : null,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    p9999: at(0.9999),
    p99999: at(0.99999),
    max: buckets.at(-1)?.[0] ?? null,
  }
}
