/**
 * A histogram over shared memory: constant size, every sample counted, under 0.1 % error.
 *
 * A bucket is the exponent and the ten highest mantissa bits of the sample as a 64-bit float, so an
 * octave has 1,024 buckets of equal width, and no logarithm is computed:
 *
 *   float64:  sign 1 | exponent 11 | mantissa 52
 *   bucket:            exponent 11 | 10              = high word >>> 10, less that of `lowestNs`
 */

/** Samples below are counted as this one. */
export const lowestNs = 64
/** Samples above are counted as this one: 2^42 ns, a little over 73 minutes. */
export const highestNs = 2 ** 42

const octaves = 42 - 6
export const bucketCount = octaves * 1024 + 1

const scratch = new Float64Array(1)
const scratchWords = new Uint32Array(scratch.buffer)
/** Which of the two words holds the exponent depends on the byte order. */
const highWord = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0

function rawBucket(ns: number): number {
  scratch[0] = ns
  return scratchWords[highWord]! >>> 10
}
const firstBucket = rawBucket(lowestNs)

/** The smallest value that falls into a bucket, in nanoseconds. */
export function bucketStartNs(bucket: number): number {
  scratchWords[1 - highWord] = 0
  scratchWords[highWord] = (bucket + firstBucket) << 10
  return scratch[0]!
}

/** The value by which a bucket's samples are reported: its middle, at most 0.05 % off. */
export const bucketMiddleNs = (bucket: number): number =>
  (bucketStartNs(bucket) + bucketStartNs(bucket + 1)) / 2

/** Counts samples in nanoseconds. Has one writer; any thread may read. */
export class Histogram {
  static readonly byteLength = (bucketCount + 1) * Float64Array.BYTES_PER_ELEMENT
  /** Samples per bucket; exact up to 2^53. */
  readonly counts: Float64Array
  /** One element: the sum of all samples, for the mean. */
  readonly #sum: Float64Array

  constructor(memory: ArrayBufferLike = new ArrayBuffer(Histogram.byteLength), byteOffset = 0) {
    this.counts = new Float64Array(memory, byteOffset, bucketCount)
    this.#sum = new Float64Array(memory, byteOffset + this.counts.byteLength, 1)
  }

  get sumNs(): number {
    return this.#sum[0]!
  }

  record(ns: number): void {
    const bounded = ns < lowestNs ? lowestNs : ns > highestNs ? highestNs : ns
    this.counts[rawBucket(bounded) - firstBucket]!++
    this.#sum[0]! += ns
  }

  /** Records `count` equal samples. */
  recordMany(ns: number, count: number): void {
    const bounded = ns < lowestNs ? lowestNs : ns > highestNs ? highestNs : ns
    this.counts[rawBucket(bounded) - firstBucket]! += count
    this.#sum[0]! += ns * count
  }

  /** Adds another's samples, or with -1 takes them away. */
  add(other: Histogram, sign: 1 | -1 = 1): void {
    for (let bucket = 0; bucket < bucketCount; bucket++)
      this.counts[bucket]! += sign * other.counts[bucket]!
    this.#sum[0]! += sign * other.sumNs
  }

  copy(): Histogram {
    const copy = new Histogram()
    copy.add(this)
    return copy
  }

  get count(): number {
    let count = 0
    for (const samples of this.counts) count += samples
    return count
  }

  /**
   * For each quantile (0 to 1) the value in nanoseconds below or at which that share of the samples
   * lies; NaN if there is none. The definition is the nearest rank: no interpolation.
   */
  quantiles(wanted: number[]): number[] {
    const total = this.count
    if (total === 0) return wanted.map(() => Number.NaN)
    const order = wanted.map((_, index) => index).toSorted((a, b) => wanted[a]! - wanted[b]!)
    const found = wanted.map(() => Number.NaN)
    let seen = 0
    let bucket = -1
    for (const index of order) {
      const rank = Math.max(1, Math.ceil(wanted[index]! * total))
      while (seen < rank) seen += this.counts[++bucket]!
      found[index] = bucketMiddleNs(bucket)
    }
    return found
  }
}
