/**
 * The receiver's account of the datagrams of one direction: verified, lost, in what order, and how
 * their delay varied (RFC 3550 section 6.4.1; RFC 5481). The clocks of both ends need not agree:
 * only differences of delays are used.
 */
import { bucketMiddleNs, Histogram, lowestNs } from '../../metrics/histogram.ts'
import { saveHistogram } from '../../metrics/saved.ts'
import { payloadHeadBytes, readPayloadHead, warmupFlag } from '../../wire/udp/session.ts'
import type { DatagramsSeen, Report, WrongPlace } from '../../wire/direction/trace.ts'
import { copyOf, firstWrongByte, type Payload } from '../payload.ts'

/** How many sequence numbers are remembered; what is older counts as a duplicate. */
const rememberedMax = 2 ** 20
const shownBytes = 16

export class DatagramReceiver {
  readonly #payload: Payload
  readonly #flow: number
  readonly #startMs: number
  readonly #seen = new Uint8Array(rememberedMax)
  readonly #gaps = new Histogram()
  readonly #variation = new Variation()
  readonly #between = new Histogram()
  readonly #counts = { measured: 0, duplicated: 0, reordered: 0, wrong: 0 }
  #bytes = 0
  #datagrams = 0
  #firstMs = 0
  #lastMs = 0
  #highest = -1
  #lastTransitNs: number | undefined
  #jitterNs = 0
  #wrongBytes = 0
  #firstWrong: WrongPlace | undefined

  constructor(payload: Payload, flow: number, startMs: number) {
    this.#payload = payload
    this.#flow = flow
    this.#startMs = startMs
  }

  get bytes(): number {
    return this.#bytes
  }

  /** How many bytes of it are wrong. */
  take(datagram: Buffer, nowMs: number): number {
    if (datagram.length < payloadHeadBytes) return 0
    const { flags, sequence, sentNs } = readPayloadHead(datagram)
    if (this.#datagrams === 0) this.#firstMs = nowMs
    else this.#gaps.record((nowMs - this.#lastMs) * 1e6)
    this.#lastMs = nowMs
    this.#datagrams++
    const isMeasured = (flags & warmupFlag) === 0
    if (!this.#isNew(sequence)) {
      if (isMeasured) this.#counts.duplicated++
      return 0
    }
    this.#bytes += datagram.length
    if (sequence < this.#highest && isMeasured) this.#counts.reordered++
    this.#highest = Math.max(this.#highest, sequence)
    if (isMeasured) {
      this.#counts.measured++
      this.#noteDelay(nowMs * 1e6 - sentNs)
    }
    return this.#verify(datagram, sequence)
  }

  #isNew(sequence: number): boolean {
    if (sequence <= this.#highest - rememberedMax) return false
    // The numbers between were not sent when these places were last used.
    const from = Math.max(this.#highest + 1, sequence - rememberedMax + 1)
    for (let free = from; free <= sequence; free++) this.#seen[free % rememberedMax] = 0
    const at = sequence % rememberedMax
    if (this.#seen[at] === 1) return false
    this.#seen[at] = 1
    return true
  }

  #noteDelay(transitNs: number) {
    if (!Number.isFinite(transitNs)) return
    this.#variation.record(transitNs)
    const last = this.#lastTransitNs
    this.#lastTransitNs = transitNs
    if (last === undefined) return
    const difference = Math.abs(transitNs - last)
    this.#between.record(Math.max(lowestNs, difference))
    this.#jitterNs += (difference - this.#jitterNs) / 16
  }

  #verify(datagram: Buffer, sequence: number): number {
    const bytes = datagram.length - payloadHeadBytes
    const offset = sequence * bytes
    const at = firstWrongByte(this.#payload, this.#flow, offset, datagram, payloadHeadBytes, bytes)
    if (at === -1) return 0
    const right = copyOf(this.#payload, this.#flow, offset + at, bytes - at)
    const came = datagram.subarray(payloadHeadBytes + at)
    let count = 0
    for (let index = 0; index < right.length; index++) if (came[index] !== right[index]) count++
    this.#wrongBytes += count
    this.#counts.wrong++
    this.#firstWrong ??= {
      offset: offset + at,
      expected: right.toString('hex', 0, shownBytes),
      received: came.toString('hex', 0, shownBytes),
    }
    return count
  }

  get report(): Report {
    const atMs = this.#sinceStart(this.#lastMs)
    return { bytes: this.#bytes, atMs, wrongBytes: this.#wrongBytes }
  }

  get lastReport(): Report {
    const datagrams: DatagramsSeen = {
      ...this.#counts,
      jitterUs: this.#jitterNs / 1e3,
      variation: saveHistogram(this.#variation.histogram),
      between: saveHistogram(this.#between),
    }
    return {
      ...this.report,
      end: {
        firstMs: this.#sinceStart(this.#firstMs),
        lastMs: this.#sinceStart(this.#lastMs),
        chunks: this.#datagrams,
        gaps: saveHistogram(this.#gaps),
        firstWrong: this.#firstWrong,
        datagrams,
      },
    }
  }

  #sinceStart(ms: number): number {
    return this.#datagrams === 0 ? 0 : Math.round((ms - this.#startMs) * 1e3) / 1e3
  }
}

/** A delay that is below the least one by less than this is noise of the clock. */
const leastStepNs = 1_000

/** Delays above the least of them (RFC 5481 section 4.2), which is known only at the end. */
export class Variation {
  histogram = new Histogram()
  #leastNs = Infinity

  record(delayNs: number): void {
    if (delayNs < this.#leastNs - leastStepNs || this.#leastNs === Infinity) this.#lower(delayNs)
    this.histogram.record(Math.max(lowestNs, delayNs - this.#leastNs))
  }

  /** All samples so far are that much further above the least. */
  #lower(leastNs: number) {
    const byNs = this.#leastNs - leastNs
    this.#leastNs = leastNs
    if (byNs === Infinity) return
    const moved = new Histogram()
    for (const [bucket, count] of saveHistogram(this.histogram).buckets)
      moved.recordMany(bucketMiddleNs(bucket) + byNs, count)
    this.histogram = moved
  }
}
