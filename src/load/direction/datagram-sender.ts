/** Makes the datagrams of one direction, each when it is due. */
import { Histogram } from '../../metrics/histogram.ts'
import {
  payloadHeadBytes,
  warmupFlag,
  writePayloadHead,
  writeSentNs,
  type HeadKey,
} from '../../wire/udp/payload-head.ts'
import { expected, type Payload } from '../payload.ts'

/** A datagram that would be sent later than this is skipped: a stop must not become a burst. */
const lateMaxNs = 100e6

/** What both ends know of the datagrams of a direction. */
export interface DatagramsOfFlow {
  payload: Payload
  flow: number
  key: HeadKey
  /** Of each datagram. */
  sizeBytes: number
}

export interface DatagramPace {
  ratePerSecond: number
  warmupMs: number
}

export class DatagramSender {
  readonly #payload: Payload
  readonly #flow: number
  readonly #key: HeadKey
  readonly #sizeBytes: number
  readonly #gapNs: number
  readonly #warmupNs: number
  readonly #late = new Histogram()
  /**
   * When the datagrams were due that were taken together and are not sent yet; without the warm-up.
   */
  readonly #duesNs: number[] = []
  #startNs = -1
  #planned = 0
  #sequence = 0
  #measured = 0
  #skipped = 0

  constructor({ payload, flow, key, sizeBytes }: DatagramsOfFlow, pace: DatagramPace) {
    this.#payload = payload
    this.#flow = flow
    this.#key = key
    this.#sizeBytes = sizeBytes
    this.#gapNs = 1e9 / pace.ratePerSecond
    this.#warmupNs = pace.warmupMs * 1e6
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get ratePerSecond(): number {
    return 1e9 / this.#gapNs
  }

  /** How many datagrams were sent, with those of the warm-up; and without them. */
  get datagrams(): number {
    return this.#sequence
  }

  get measured(): number {
    return this.#measured
  }

  /** How many datagrams were due while the sender was held up, and were not sent. */
  get skipped(): number {
    return this.#skipped
  }

  get bytes(): number {
    return this.#sequence * this.#sizeBytes
  }

  /** How late the sender itself was. */
  get lateness(): Histogram {
    return this.#late
  }

  begin(nowNs: number): void {
    this.#startNs = nowNs
  }

  /** When the next datagram is due. */
  get dueNs(): number {
    return this.#startNs + this.#planned * this.#gapNs
  }

  /** The next datagram if it is due. The caller has to send it at once, and may keep its memory. */
  take(nowNs: number): Buffer | undefined {
    if (nowNs < this.dueNs) return undefined
    const datagram = Buffer.allocUnsafe(this.#sizeBytes)
    this.#make(nowNs, datagram, 0)
    this.sent(nowNs)
    return datagram
  }

  /**
   * Writes as many datagrams as are due and fit into `room`, end to end. To be followed by sent().
   * Returns how many.
   */
  takeInto(room: Buffer, nowNs: number): number {
    const most = Math.floor(room.length / this.#sizeBytes)
    let count = 0
    for (; count < most && nowNs >= this.dueNs; count++)
      this.#make(nowNs, room, count * this.#sizeBytes)
    return count
  }

  /**
   * The datagrams that were taken together have to wait: writes the new instant of sending into
   * them.
   */
  stampAgain(room: Buffer, bytes: number, nowNs: number): void {
    for (let at = 0; at < bytes; at += this.#sizeBytes) writeSentNs(room, this.#key, nowNs, at)
  }

  /** The datagrams that were taken were given to the system at this instant. */
  sent(nowNs: number): void {
    for (const dueNs of this.#duesNs) this.#late.record(nowNs - dueNs)
    this.#duesNs.length = 0
  }

  #make(nowNs: number, room: Buffer, at: number): void {
    const lateNs = nowNs - this.dueNs
    if (lateNs > lateMaxNs) {
      const skipped = Math.floor((lateNs - lateMaxNs) / this.#gapNs)
      this.#skipped += skipped
      this.#planned += skipped
    }
    const { dueNs } = this
    const isWarmup = this.#planned * this.#gapNs < this.#warmupNs
    this.#planned++
    if (!isWarmup) {
      this.#measured++
      this.#duesNs.push(dueNs)
    }
    const sequence = this.#sequence++
    const flags = isWarmup ? warmupFlag : 0
    writePayloadHead(room, this.#key, { flags, sequence, sentNs: nowNs }, at)
    this.#fill(room, at + payloadHeadBytes, sequence)
  }

  #fill(room: Buffer, from: number, sequence: number) {
    const bytes = this.#sizeBytes - payloadHeadBytes
    const offset = sequence * bytes
    for (let at = 0; at < bytes;) {
      const piece = expected(this.#payload, this.#flow, offset + at, bytes - at)
      at += piece.copy(room, from + at)
    }
  }
}
