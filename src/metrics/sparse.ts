/**
 * A histogram that needs memory for each octave in which it has samples, and there the narrowest
 * numbers that hold its counts: where one is kept for each of many machines or seconds.
 */
import { Histogram } from './histogram.ts'
import type { SavedHistogram } from './saved.ts'

/** As in histogram.ts. */
const octaveBuckets = 1024

const widths = [Uint8Array, Uint16Array, Uint32Array, Float64Array] as const
export type Counts = InstanceType<(typeof widths)[number]>

const holds = (counts: Counts, count: number): boolean =>
  counts instanceof Float64Array || count < 2 ** (8 * counts.BYTES_PER_ELEMENT)

const widthFor = (count: number) =>
  widths.find(width => width === Float64Array || count < 2 ** (8 * width.BYTES_PER_ELEMENT))!

/** An array for counts of which none is larger. */
export const countsFor = (length: number, largest: number): Counts =>
  new (widthFor(largest))(length)

export class SparseHistogram {
  sumNs = 0
  readonly #octaves: (Counts | undefined)[] = []

  /** @returns how many samples the bucket had before */
  set(bucket: number, count: number): number {
    const octave = bucket >>> 10
    let counts = this.#octaves[octave]
    if (!counts) {
      if (count === 0) return 0
      this.#octaves[octave] = counts = countsFor(octaveBuckets, count)
    } else if (!holds(counts, count)) {
      const wider = countsFor(octaveBuckets, count)
      wider.set(counts)
      this.#octaves[octave] = counts = wider
    }
    const at = bucket & (octaveBuckets - 1)
    const before = counts[at]!
    counts[at] = count
    return before
  }

  /** Adds samples of which only the bucket is known; their sum is not added. */
  add(bucket: number, count: number): void {
    const before = this.#octaves[bucket >>> 10]?.[bucket & (octaveBuckets - 1)] ?? 0
    this.set(bucket, before + count)
  }

  addSaved({ sumNs, buckets }: SavedHistogram): void {
    for (const [bucket, count] of buckets) this.add(bucket, count)
    this.sumNs += sumNs
  }

  addAll(other: SparseHistogram): void {
    for (const [bucket, count] of other.entries()) this.add(bucket, count)
    this.sumNs += other.sumNs
  }

  /** The buckets that are not empty, the lowest first. */
  *entries(): Generator<[bucket: number, count: number]> {
    for (const [octave, counts] of this.#octaves.entries()) {
      if (!counts) continue
      for (let at = 0; at < octaveBuckets; at++)
        if (counts[at] !== 0) yield [octave * octaveBuckets + at, counts[at]!]
    }
  }

  toHistogram(): Histogram {
    return Histogram.of(this.sumNs, this.entries())
  }
}
