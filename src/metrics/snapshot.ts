/** What happened, at one instant: the sum of all meters. Snapshots subtract. */
import { Histogram } from './histogram.ts'
import { counter, counterNames, type CounterName, type Meter } from './meter.ts'

export interface Snapshot extends Record<CounterName, number> {
  /** When it was taken, in milliseconds on the monotonic clock of performance.now(). */
  atMs: number
  /** Connections that are open now. */
  open: number
  /** Clients held back in the program; those in the system's backlog are not seen. */
  waiting: number
  latency: Histogram
}

function fromCounters(atMs: number, count: (name: CounterName) => number, latency: Histogram) {
  const counters = Object.fromEntries(counterNames.map(name => [name, count(name)]))
  const snapshot = { ...counters, atMs, latency, open: 0, waiting: 0 } as Snapshot
  snapshot.open = snapshot.opened - snapshot.closed
  snapshot.waiting = snapshot.queued - snapshot.dequeued
  return snapshot
}

/** Reads the meters of all threads as one. */
export function takeSnapshot(meters: readonly Meter[]): Snapshot {
  const latency = new Histogram()
  for (const meter of meters) latency.add(meter.latency)
  const sum = (name: CounterName) =>
    meters.reduce((total, meter) => total + meter.counters[counter[name]]!, 0)
  return fromCounters(performance.now(), sum, latency)
}

/**
 * What happened between two snapshots: the last second, or a run without its warm-up. `atMs`
 * becomes the time between them; `open` and `waiting` stay those of the later one.
 */
export function since(earlier: Snapshot, later: Snapshot): Snapshot {
  const latency = later.latency.copy()
  latency.add(earlier.latency, -1)
  const difference = fromCounters(
    later.atMs - earlier.atMs,
    name => later[name] - earlier[name],
    latency,
  )
  return { ...difference, open: later.open, waiting: later.waiting }
}
