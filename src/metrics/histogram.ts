/**
 * A histogram over shared memory: constant size, every sample counted, under 0.1 % error.
 *
 * A bucket is the exponent and the ten highest mantissa bits of the sample as a 64-bit float, so an
 * octave has 1,024 buckets of equal width, and no logarithm is computed:
 *
 *   float64:  sign 1 | exponent 11 | mantissa 52
 *   bucket:            exponent 11 | 10              = high word >>> 10, minus that of `lowestNs`
 *
 * Samples lie in few octaves, and each one that has some is marked: readers skip the others.
 */

/** Smaller samples are counted as this one. */
export const lowestNs = 64
/** Larger samples are counted as this one: 2^42 ns, a little over 73 minutes. */
export const highestNs = 2 ** 42

const octaves = 42 - 6
export const bucketCount = octaves * 1024 + 1
/** A byte for each octave, and one for the last bucket; a multiple of 8, as floats follow. */
const marksBytes = Math.ceil((octaves + 1) / 8) * 8

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

/**
 * All histograms without a sample share these arrays, so that they need no memory of their own:
 * most histograms of a snapshot have no sample.
 */
const noCounts = new Float64Array(0)
const noSum = new Float64Array(1)
const noMarks = new Uint8Array(marksBytes)

/** Counts samples in nanoseconds. Has one writer; any thread may read. */
export class Histogram {
  static readonly byteLength = (bucketCount + 1) * Float64Array.BYTES_PER_ELEMENT + marksBytes
  /** Samples per bucket; exact up to 2^53. */
  #counts: Float64Array = noCounts
  /** One element: the sum of all samples, for the mean. */
  #sum: Float64Array = noSum
  /** A byte for each octave: 1 once it has had a sample. */
  #marks: Uint8Array = noMarks

  /** @param memory without it, the histogram allocates memory with the first sample */
  constructor(memory?: ArrayBufferLike, byteOffset = 0) {
    if (memory) this.#lieIn(memory, byteOffset)
  }

  #lieIn(memory: ArrayBufferLike, byteOffset: number) {
    this.#counts = new Float64Array(memory, byteOffset, bucketCount)
    const sumAt = byteOffset + this.#counts.byteLength
    this.#sum = new Float64Array(memory, sumAt, 1)
    this.#marks = new Uint8Array(memory, sumAt + this.#sum.byteLength, marksBytes)
  }

  /** A histogram with these samples. */
  static of(sumNs: number, buckets: Iterable<readonly [bucket: number, count: number]>): Histogram {
    const histogram = new Histogram()
    histogram.addBuckets(sumNs, buckets)
    return histogram
  }

  /** Adds samples of which only bucket and sum are known. */
  addBuckets(sumNs: number, buckets: Iterable<readonly [bucket: number, count: number]>): void {
    for (const [bucket, count] of buckets) this.#put(bucket, count, 0)
    this.#addToSum(sumNs)
  }

  get sumNs(): number {
    return this.#sum[0]!
  }

  record(ns: number): void {
    const bounded = ns < lowestNs ? lowestNs : ns > highestNs ? highestNs : ns
    this.#put(rawBucket(bounded) - firstBucket, 1, ns)
  }

  /** Records `count` equal samples. */
  recordMany(ns: number, count: number): void {
    const bounded = ns < lowestNs ? lowestNs : ns > highestNs ? highestNs : ns
    this.#put(rawBucket(bounded) - firstBucket, count, ns * count)
  }

  #put(bucket: number, count: number, sumNs: number): void {
    if (this.#counts === noCounts) this.#lieIn(new ArrayBuffer(Histogram.byteLength), 0)
    this.#counts[bucket]! += count
    this.#marks[bucket >>> 10] = 1
    this.#sum[0]! += sumNs
  }

  #addToSum(ns: number) {
    if (this.#sum !== noSum) this.#sum[0]! += ns
  }

  /** Adds the samples of another histogram, or with -1 subtracts them. */
  add(other: Histogram, sign: 1 | -1 = 1): void {
    other.forEach((bucket, count) => this.#put(bucket, sign * count, 0))
    this.#addToSum(sign * other.sumNs)
  }

  copy(): Histogram {
    const copy = new Histogram()
    copy.add(this)
    return copy
  }

  get count(): number {
    let total = 0
    this.forEach((_, count) => (total += count))
    return total
  }

  /** Visits each bucket that is not empty, the lowest first. */
  forEach(visit: (bucket: number, count: number) => void): void {
    for (let octave = 0; octave <= octaves; octave++) {
      if (this.#marks[octave] === 0) continue
      const end = Math.min((octave + 1) * 1024, bucketCount)
      for (let bucket = octave * 1024; bucket < end; bucket++) {
        const count = this.#counts[bucket]!
        if (count !== 0) visit(bucket, count)
      }
    }
  }

  /**
   * For each quantile (0 to 1) the value in nanoseconds below or at which that share of the samples
   * lies; NaN if there is none. The definition is the nearest rank: no interpolation.
   */
  quantiles(wanted: number[]): number[] {
    const total = this.count
    if (total === 0) return wanted.map(() => Number.NaN)
    const order = wanted.map((_, index) => index).toSorted((a, b) => wanted[a]! - wanted[b]!)
    const ranks = order.map(index => Math.max(1, Math.ceil(wanted[index]! * total)))
    const found = wanted.map(() => Number.NaN)
    let seen = 0
    let next = 0
    this.forEach((bucket, count) => {
      seen += count
      while (next < order.length && ranks[next]! <= seen)
        found[order[next++]!] = bucketMiddleNs(bucket)
    })
    return found
  }
}
