/**
 * How much of a connection's stream was sent: what the system has accepted. What the generator has
 * issued beyond that still waits in this process.
 */
import { counter, type Meter } from '../metrics/meter.ts'
import { nowNs } from '../vocabulary/clock.ts'
import type { Replies } from './replies.ts'
import type { Sizes } from './sizes.ts'

interface Counting {
  readonly meter: Meter
  readonly sizes: Sizes
  /** When messages of the window were sent. */
  readonly sends: Replies
}

export class SentBytes {
  bytes = 0
  /** How many messages of the warm-up were issued; they are the first of the stream. */
  warm = 0
  #warmBytes = 0
  /** Messages that were sent whole, and the offset at which the last of them ends. */
  #messages = 0
  #end = 0
  readonly #traffic: Counting
  readonly #connection: number

  constructor(traffic: Counting, connection: number) {
    this.#traffic = traffic
    this.#connection = connection
  }

  /** A message of the warm-up was issued. */
  issueWarm(sizeBytes: number): void {
    this.warm++
    this.#warmBytes += sizeBytes
  }

  /**
   * The stream was sent up to an offset, which is larger than before.
   * @param messages the number of messages up to there, if one ends at the offset
   */
  extend(untilBytes: number, messages: number | undefined, atNs = nowNs()): void {
    const [messagesBefore, bytesBefore] = [this.#messages, this.bytes]
    if (messages === undefined) this.#count(untilBytes)
    else {
      this.#messages = messages
      this.#end = untilBytes
    }
    this.bytes = untilBytes
    const { meter, sends } = this.#traffic
    const { counters } = meter
    const count = this.#messages - messagesBefore
    counters[counter.bytesOut]! += untilBytes - bytesBefore
    const warm = Math.max(0, Math.min(this.#messages, this.warm) - messagesBefore)
    counters[counter.messagesSent]! += count - warm
    if (count > warm) sends.record(atNs, count - warm)
    if (messagesBefore >= this.warm) return
    counters[counter.warmupSent]! += warm
    counters[counter.warmupBytesOut]! += Math.min(untilBytes, this.#warmBytes) - bytesBefore
  }

  /** Continues at a later offset, on a new connection. The bytes between are never sent. */
  skip(toBytes: number, messages: number): void {
    this.bytes = this.#end = toBytes
    this.#messages = messages
  }

  /** Counts the messages that end at an offset or before it. */
  #count(untilBytes: number): void {
    const { sizes } = this.#traffic
    for (;;) {
      const sizeBytes = sizes.fixedBytes || sizes.of(this.#connection, this.#messages)
      if (this.#end + sizeBytes > untilBytes) return
      this.#end += sizeBytes
      this.#messages++
    }
  }

  /** How many messages of the window were sent, without the first `messages` of the stream. */
  measuredBeyond(messages: number): number {
    return Math.max(0, this.#messages - Math.max(messages, this.warm))
  }
}
