/** What all agents have counted, kept up to date as their changes come: one agent, and the sum. */
import { Histogram } from '../metrics/histogram.ts'
import { counterNames, histogramNames } from '../metrics/meter.ts'
import type { CounterName, HistogramName } from '../metrics/meter.ts'
import { assemble, type Snapshot } from '../metrics/snapshot.ts'
import type { Changes, ChangedHistogram } from './packed.ts'

/** A histogram of which few buckets are not empty: of a thousand agents, all are kept. */
class Sparse {
  sumNs = 0
  buckets = new Uint16Array(0)
  counts = new Float64Array(0)

  get entries(): [bucket: number, count: number][] {
    return Array.from(this.buckets, (bucket, n) => [bucket, this.counts[n]!])
  }

  /** Takes changes in, and adds what they are more than before to a whole one. */
  take({ sumNs, buckets, counts }: ChangedHistogram, whole: Histogram): void {
    const more: [bucket: number, count: number][] = []
    const moreNs = sumNs - this.sumNs
    this.sumNs = sumNs
    const known = this.buckets
    const merged = new Uint16Array(known.length + buckets.length)
    const mergedCounts = new Float64Array(merged.length)
    let [size, at] = [0, 0]
    for (const [n, bucket] of buckets.entries()) {
      while (at < known.length && known[at]! < bucket) {
        merged[size] = known[at]!
        mergedCounts[size++] = this.counts[at++]!
      }
      const before = known[at] === bucket ? this.counts[at++]! : 0
      more.push([bucket, counts[n]! - before])
      merged[size] = bucket
      mergedCounts[size++] = counts[n]!
    }
    whole.addBuckets(moreNs, more)
    merged.set(known.subarray(at), size)
    mergedCounts.set(this.counts.subarray(at), size)
    size += known.length - at
    this.buckets = merged.slice(0, size)
    this.counts = mergedCounts.slice(0, size)
  }
}

/** The sum over all agents. */
export class Totals {
  readonly counters = new Float64Array(counterNames.length)
  readonly histograms = histogramNames.map(() => new Histogram())

  snapshot(atMs: number): Snapshot {
    return assemble(
      atMs,
      name => this.counters[counterNames.indexOf(name)]!,
      name => this.histograms[histogramNames.indexOf(name)]!.copy(),
    )
  }
}

/** One agent's own. */
export class Counted {
  readonly #counters = new Float64Array(counterNames.length)
  readonly #histograms = new Map<number, Sparse>()
  readonly #totals: Totals

  constructor(totals: Totals) {
    this.#totals = totals
  }

  /** How many messages have come back, and how many were sent. */
  get messages(): [received: number, sent: number] {
    const of = (name: CounterName) => this.#counters[counterNames.indexOf(name)]!
    return [of('messagesReceived'), of('messagesSent')]
  }

  take({ counters, histograms }: Changes): void {
    for (const [counter, value] of counters) {
      this.#totals.counters[counter]! += value - this.#counters[counter]!
      this.#counters[counter] = value
    }
    for (const changed of histograms) {
      const sparse = this.#histograms.get(changed.histogram) ?? new Sparse()
      this.#histograms.set(changed.histogram, sparse)
      sparse.take(changed, this.#totals.histograms[changed.histogram]!)
    }
  }

  snapshot(atMs: number): Snapshot {
    const histogram = (name: HistogramName) => {
      const sparse = this.#histograms.get(histogramNames.indexOf(name))
      return Histogram.of(sparse?.sumNs ?? 0, sparse?.entries ?? [])
    }
    return assemble(atMs, name => this.#counters[counterNames.indexOf(name)]!, histogram)
  }
}
