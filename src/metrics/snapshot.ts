/** What happened, at one instant: the sum of all meters. Snapshots subtract. */
import { Histogram } from './histogram.ts'
import { byHistogram, counter, counterNames } from './meter.ts'
import type { CounterName, HistogramName, Meter } from './meter.ts'

/** The counters without the distributions: much cheaper than a snapshot. */
export interface Counts extends Record<CounterName, number> {
  /** Connections that are open now. */
  open: number
  /** Clients held back in the program; those in the system's backlog are not seen. */
  waiting: number
}

export interface Snapshot extends Counts, Readonly<Record<HistogramName, Histogram>> {
  /** When it was taken, in milliseconds on the monotonic clock of performance.now(). */
  atMs: number
}

function assembleCounts(count: (name: CounterName) => number): Counts {
  const counters = Object.fromEntries(counterNames.map(name => [name, count(name)]))
  const counts = { ...counters, open: 0, waiting: 0 } as Counts
  counts.open = counts.opened - counts.closed
  counts.waiting = counts.queued - counts.dequeued
  return counts
}

/** Makes a snapshot of figures that these functions read. */
export function assemble(
  atMs: number,
  count: (name: CounterName) => number,
  histogram: (name: HistogramName) => Histogram,
): Snapshot {
  return { ...assembleCounts(count), ...byHistogram(histogram), atMs }
}

const sumOf =
  (meters: readonly Meter[]) =>
  (name: CounterName): number =>
    meters.reduce((total, meter) => total + meter.counters[counter[name]]!, 0)

/** Reads the counters of all threads as one. */
export const takeCounts = (meters: readonly Meter[]): Counts => assembleCounts(sumOf(meters))

/** Reads the meters of all threads as one. */
export function takeSnapshot(meters: readonly Meter[]): Snapshot {
  const merge = (name: HistogramName) => {
    const merged = new Histogram()
    for (const meter of meters) merged.add(meter.histograms[name])
    return merged
  }
  return assemble(performance.now(), sumOf(meters), merge)
}

/**
 * What happened between two snapshots: the last second, or a run without its warm-up. `atMs`
 * becomes the time between them; `open` and `waiting` stay those of the later one.
 */
export function since(earlier: Snapshot, later: Snapshot): Snapshot {
  const histogramSince = (name: HistogramName) => {
    const difference = later[name].copy()
    difference.add(earlier[name], -1)
    return difference
  }
  const countSince = (name: CounterName) => later[name] - earlier[name]
  const difference = assemble(later.atMs - earlier.atMs, countSince, histogramSince)
  return { ...difference, open: later.open, waiting: later.waiting }
}
