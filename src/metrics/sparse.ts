/**
 * A small histogram, so that one can be kept for each of many machines or seconds: only octaves
 * with samples have memory, and the narrowest numbers that hold their counts.
 */
import { Histogram } from './histogram.ts'
import type { SavedHistogram } from './saved.ts'

/** The number of buckets in an octave, as in histogram.ts. */
const octaveBuckets = 1024

const widths = [Uint8Array, Uint16Array, Uint32Array, Float64Array] as const
export type CountArray = InstanceType<(typeof widths)[number]>

/** The largest count that each kind of array can hold. */
const most = [0xff, 0xffff, 0xffff_ffff, Infinity] as const

const widthFor = (count: number): number => {
  let width = 0
  while (width < widths.length - 1 && !(count <= most[width]!)) width++
  return width
}

/** An array for counts that are at most `largest`. */
export const countsFor = (length: number, largest: number): CountArray =>
  new widths[widthFor(largest)]!(length)

export class SparseHistogram {
  sumNs = 0
  readonly #octaves: (CountArray | undefined)[] = []
  /**
   * The largest count that the array of each octave can hold. It is read far more often than it
   * changes.
   */
  readonly #most: number[] = []

  /** @returns how many samples the bucket had before */
  set(bucket: number, count: number): number {
    const octave = bucket >>> 10
    const counts = this.#octaveFor(octave, count)
    const at = bucket & (octaveBuckets - 1)
    const before = counts[at]!
    counts[at] = count
    return before
  }

  #octaveFor(octave: number, count: number): CountArray {
    const known = this.#octaves[octave]
    if (known && count <= this.#most[octave]!) return known
    const counts = countsFor(octaveBuckets, count)
    if (known) counts.set(known)
    this.#octaves[octave] = counts
    this.#most[octave] = most[widthFor(count)]!
    return counts
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
