/**
 * The receiver's account of the datagrams of one direction: verified, lost, in what order, and how
 * their delay varied (RFC 3550 section 6.4.1; RFC 5481). The clocks of both ends need not agree:
 * only differences of delays are used.
 */
import { bucketMiddleNs, Histogram, lowestNs } from '../../metrics/histogram.ts'
import { saveHistogram } from '../../metrics/saved.ts'
import {
  payloadHeadBytes,
  payloadStanding,
  readPayloadHead,
  warmupFlag,
  type HeadKey,
} from '../../wire/udp/payload-head.ts'
import type { DatagramsSeen, Report, WrongPlace } from '../../wire/direction/trace.ts'
import { copyOf, firstWrongByte, type Payload } from '../payload.ts'
import type { DatagramsOfFlow } from './datagram-sender.ts'

/** How many sequence numbers are remembered; what is older counts as a duplicate. */
const rememberedMax = 2 ** 20
const shownBytes = 16

export class DatagramReceiver {
  readonly #payload: Payload
  readonly #flow: number
  readonly #key: HeadKey
  readonly #sizeBytes: number
  readonly #startMs: number
  readonly #seen = new Uint8Array(rememberedMax)
  readonly #gaps = new Histogram()
  readonly #variation = new Variation()
  readonly #between = new Histogram()
  readonly #counts = { measured: 0, duplicated: 0, reordered: 0, wrong: 0, wrongHeads: 0 }
  #bytes = 0
  #datagrams = 0
  #firstMs = 0
  #lastMs = 0
  #highest = -1
  /** Whether the last datagram with a right header was sent after the warm-up. */
  #isMeasured: boolean
  #lastTransitNs: number | undefined
  #jitterNs = 0
  #wrongBytes = 0
  #firstWrong: WrongPlace | undefined

  constructor(stream: DatagramsOfFlow, warmupMs: number, startMs: number) {
    this.#payload = stream.payload
    this.#flow = stream.flow
    this.#key = stream.key
    this.#sizeBytes = stream.sizeBytes
    this.#startMs = startMs
    this.#isMeasured = warmupMs === 0
  }

  get bytes(): number {
    return this.#bytes
  }

  /** How many bytes of it are wrong; undefined if it is not payload of this session. */
  take(datagram: Buffer, nowMs: number): number | undefined {
    const standing = payloadStanding(datagram, this.#key, this.#sizeBytes)
    if (standing === 'other') return undefined
    if (this.#datagrams === 0) this.#firstMs = nowMs
    else this.#gaps.record((nowMs - this.#lastMs) * 1e6)
    this.#lastMs = nowMs
    this.#datagrams++
    return standing === 'right' ? this.#takeRight(datagram, nowMs) : this.#noteWrongHead()
  }

  /** It is not known which datagram it was, so it counts for nothing else. */
  #noteWrongHead(): number {
    this.#counts.wrong++
    if (this.#isMeasured) this.#counts.wrongHeads++
    this.#wrongBytes++
    return 1
  }

  #takeRight(datagram: Buffer, nowMs: number): number {
    const { flags, sequence, sentNs } = readPayloadHead(datagram)
    this.#isMeasured = (flags & warmupFlag) === 0
    if (!this.#isNew(sequence)) {
      if (this.#isMeasured) this.#counts.duplicated++
      return 0
    }
    this.#bytes += Math.min(datagram.length, this.#sizeBytes)
    if (sequence < this.#highest && this.#isMeasured) this.#counts.reordered++
    this.#highest = Math.max(this.#highest, sequence)
    if (this.#isMeasured) {
      this.#counts.measured++
      this.#noteDelay(nowMs * 1e6 - sentNs)
    }
    return this.#verify(datagram, sequence)
  }

  #isNew(sequence: number): boolean {
    if (sequence <= this.#highest - rememberedMax) return false
    // Clears the places of the numbers between, which older numbers have used.
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
    const bytes = this.#sizeBytes - payloadHeadBytes
    const offset = sequence * bytes
    const came = Math.min(bytes, datagram.length - payloadHeadBytes)
    const found = firstWrongByte(
      this.#payload,
      this.#flow,
      offset,
      datagram,
      payloadHeadBytes,
      came,
    )
    if (found === -1 && datagram.length === this.#sizeBytes) return 0
    // What is missing or too much at its end is wrong, too.
    const at = found === -1 ? came : found
    const right = copyOf(this.#payload, this.#flow, offset + at, bytes - at)
    const received = datagram.subarray(payloadHeadBytes + at)
    let count = Math.abs(received.length - right.length)
    for (let index = 0; index < Math.min(right.length, received.length); index++)
      if (received[index] !== right[index]) count++
    this.#wrongBytes += count
    this.#counts.wrong++
    this.#firstWrong ??= {
      offset: offset + at,
      expected: right.toString('hex', 0, shownBytes),
      received: received.toString('hex', 0, shownBytes),
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

  /** The least delay has become smaller: moves all samples so far up by the difference. */
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
