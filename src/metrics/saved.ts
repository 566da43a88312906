/** Snapshots as JSON: what is 0 or empty is left out. Reading is strict: files may be damaged. */
import { bucketCount, Histogram } from './histogram.ts'
import { counterNames, histogramNames, type CounterName, type HistogramName } from './meter.ts'
import type { Snapshot } from './snapshot.ts'

export interface SavedHistogram {
  sumNs: number
  /** Its buckets that are not empty, in ascending order; docs/parts.md says what they are. */
  buckets: [bucket: number, count: number][]
}

export interface SavedSnapshot {
  atMs: number
  counters: Partial<Record<CounterName, number>>
  histograms: Partial<Record<HistogramName, SavedHistogram>>
}

export function saveHistogram(histogram: Histogram): SavedHistogram {
  const buckets: [number, number][] = []
  histogram.forEach((bucket, count) => buckets.push([bucket, count]))
  return { sumNs: histogram.sumNs, buckets }
}

export function saveSnapshot(snapshot: Snapshot): SavedSnapshot {
  const counted = counterNames.filter(name => snapshot[name] !== 0)
  const measured = histogramNames.filter(name => snapshot[name].count > 0)
  return {
    atMs: snapshot.atMs,
    counters: Object.fromEntries(counted.map(name => [name, snapshot[name]])),
    histograms: Object.fromEntries(measured.map(name => [name, saveHistogram(snapshot[name])])),
  }
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

/**
 * @returns how many samples it has
 * @throws RangeError if this is not a saved histogram
 */
export function checkHistogram({ sumNs, buckets }: SavedHistogram): number {
  let [last, total] = [-1, 0]
  for (const [bucket, count] of buckets) {
    if (!isCount(bucket) || bucket <= last || bucket >= bucketCount || !isCount(count))
      throw new RangeError('no bucket of a histogram')
    last = bucket
    total += count
  }
  if (!Number.isFinite(sumNs)) throw new RangeError('no sum of a histogram')
  return total
}

/** @throws RangeError if this is not a saved histogram */
export function readHistogram(saved: SavedHistogram): Histogram {
  checkHistogram(saved)
  return Histogram.of(saved.sumNs, saved.buckets)
}

/** @throws RangeError if this is not a saved snapshot */
export function checkSnapshot({ atMs, counters, histograms }: SavedSnapshot): void {
  const known = (names: readonly string[], found: object) =>
    Object.keys(found).every(name => names.includes(name))
  if (
    !Number.isFinite(atMs) ||
    !known(counterNames, counters) ||
    !known(histogramNames, histograms)
  )
    throw new RangeError('no snapshot')
  if (!Object.values(counters).every(Number.isFinite)) throw new RangeError('no count')
  for (const histogram of Object.values(histograms)) checkHistogram(histogram)
}
