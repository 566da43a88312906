/**
 * Counts as an agent sends them: absolute values of what has changed since a snapshot that the
 * coordinator has. So a message that comes twice, or is lost, does no harm.
 *
 *   (counter + 1, value)* 0 (histogram + 1, sum 8 bytes, buckets, (step, count)*)* 0
 *
 * Numbers are varints: seven bits in a byte, the lowest first.
 */
import { bucketCount } from '../metrics/histogram.ts'
import { counterNames, histogramNames } from '../metrics/meter.ts'
import type { SavedSnapshot } from '../metrics/saved.ts'
import type { Snapshot } from '../metrics/snapshot.ts'

/** What changed in a histogram. */
export interface ChangedHistogram {
  histogram: number
  sumNs: number
  buckets: number[]
  counts: number[]
}

export interface CountChanges {
  counters: [counter: number, value: number][]
  histograms: ChangedHistogram[]
}

/** @param base undefined: nothing was counted yet */
export function changesSince(base: Snapshot | undefined, now: Snapshot): CountChanges {
  const counters: CountChanges['counters'] = []
  for (const [counter, name] of counterNames.entries())
    if (now[name] !== (base?.[name] ?? 0)) counters.push([counter, now[name]])
  const histograms: ChangedHistogram[] = []
  for (const [histogram, name] of histogramNames.entries()) {
    const changed: ChangedHistogram = { histogram, sumNs: now[name].sumNs, buckets: [], counts: [] }
    const before = new Map<number, number>()
    base?.[name].forEach((bucket, count) => before.set(bucket, count))
    // Counts only grow: a bucket that had samples still has them.
    now[name].forEach((bucket, count) => {
      if (count === (before.get(bucket) ?? 0)) return
      changed.buckets.push(bucket)
      changed.counts.push(count)
    })
    if (changed.buckets.length > 0) histograms.push(changed)
  }
  return { counters, histograms }
}

/** Everything that was counted and saved. */
export function changesIn({ counters, histograms }: SavedSnapshot): CountChanges {
  return {
    counters: counterNames.flatMap((name, n): [number, number][] =>
      counters[name] === undefined ? [] : [[n, counters[name]]],
    ),
    histograms: histogramNames.flatMap((name, histogram) => {
      const { sumNs, buckets } = histograms[name] ?? { sumNs: 0, buckets: [] }
      const [all, counts] = [buckets.map(([bucket]) => bucket), buckets.map(([, count]) => count)]
      return all.length === 0 ? [] : [{ histogram, sumNs, buckets: all, counts }]
    }),
  }
}

const bytesOf = (value: number): number => {
  let bytes = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

/** The most bytes of a histogram's number, sum, and number of buckets. */
const histogramBytes = 2 + 8 + 3
/** The two zeros that end the lists. */
const endBytes = 2

/**
 * Splits changes into several messages. Each can be used without the others, since counts are
 * absolute.
 * @param mostBytes the most bytes of a packed message
 */
export function splitChanges(
  { counters, histograms }: CountChanges,
  mostBytes: number,
): CountChanges[] {
  const parts: CountChanges[] = [{ counters, histograms: [] }]
  const counted = counters.reduce((sum, [n, value]) => sum + bytesOf(n + 1) + bytesOf(value), 0)
  let left = mostBytes - endBytes - counted
  for (const { histogram, sumNs, buckets, counts } of histograms) {
    let open: ChangedHistogram | undefined
    let last = -1
    for (const [n, bucket] of buckets.entries()) {
      const bytes = (step: number) => bytesOf(step) + bytesOf(counts[n]!)
      if (!open || left < bytes(bucket - last)) {
        open = { histogram, sumNs, buckets: [], counts: [] }
        if (left < histogramBytes + bytes(bucket + 1)) {
          parts.push({ counters: [], histograms: [] })
          left = mostBytes - endBytes
        }
        parts.at(-1)!.histograms.push(open)
        left -= histogramBytes
        last = -1
      }
      open.buckets.push(bucket)
      open.counts.push(counts[n]!)
      left -= bytes(bucket - last)
      last = bucket
    }
  }
  return parts
}

export function pack({ counters, histograms }: CountChanges): Buffer {
  const samples = histograms.reduce((sum, { buckets }) => sum + buckets.length, 0)
  const out = new Writer(counters.length * 10 + histograms.length * 24 + samples * 11 + 2)
  for (const [counter, value] of counters) {
    out.varint(counter + 1)
    out.varint(value)
  }
  out.varint(0)
  for (const { histogram, sumNs, buckets, counts } of histograms) {
    out.varint(histogram + 1)
    out.double(sumNs)
    out.varint(buckets.length)
    let last = -1
    for (const [n, bucket] of buckets.entries()) {
      out.varint(bucket - last)
      out.varint(counts[n]!)
      last = bucket
    }
  }
  out.varint(0)
  return out.bytes
}

/** @throws RangeError if the bytes are not packed counts */
export function unpack(packed: Buffer): CountChanges {
  const from = new Reader(packed)
  const counters: CountChanges['counters'] = []
  for (let id = from.varint(); id > 0; id = from.varint()) {
    if (id > counterNames.length) throw new RangeError('no counter')
    counters.push([id - 1, from.varint()])
  }
  const histograms: ChangedHistogram[] = []
  for (let id = from.varint(); id > 0; id = from.varint()) {
    if (id > histogramNames.length) throw new RangeError('no histogram')
    const changed: ChangedHistogram = {
      histogram: id - 1,
      sumNs: from.double(),
      buckets: [],
      counts: [],
    }
    let bucket = -1
    for (let left = from.varint(); left > 0; left--) {
      const step = from.varint()
      bucket += step
      if (step < 1 || bucket >= bucketCount) throw new RangeError('no bucket of a histogram')
      changed.buckets.push(bucket)
      changed.counts.push(from.varint())
    }
    histograms.push(changed)
  }
  return { counters, histograms }
}

class Writer {
  readonly #bytes: Buffer
  #at = 0

  constructor(mostBytes: number) {
    this.#bytes = Buffer.allocUnsafe(mostBytes)
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  varint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      // Counts may have more than the 32 bits that shifting takes.
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#at++] = rest
  }

  double(value: number): void {
    this.#at = this.#bytes.writeDoubleBE(value, this.#at)
  }
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  varint(): number {
    const byte = this.#bytes[this.#at]!
    // Most of them are short, and there are thousands in a message.
    if (!(byte < 0x80)) return this.#longer()
    this.#at++
    return byte
  }

  #longer(): number {
    let [value, factor] = [0, 1]
    for (;;) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw new RangeError('it is cut')
      value += (byte & 0x7f) * factor
      if (byte < 0x80) break
      factor *= 0x80
    }
    if (!Number.isSafeInteger(value)) throw new RangeError('no count')
    return value
  }

  double(): number {
    if (this.#at + 8 > this.#bytes.length) throw new RangeError('it is cut')
    const value = this.#bytes.readDoubleBE(this.#at)
    this.#at += 8
    if (!Number.isFinite(value)) throw new RangeError('no sum')
    return value
  }
}
