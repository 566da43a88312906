/** How much of a stream the system has taken: only that is sent. */
import { counter, type Meter } from '../metrics/meter.ts'
import { nowNs } from '../vocabulary/clock.ts'
import type { Replies } from './replies.ts'
import type { Sizes } from './sizes.ts'

interface Sending {
  readonly meter: Meter
  readonly sizes: Sizes
  /** When messages of the window were taken. */
  readonly sends: Replies
}

export class Handed {
  bytes = 0
  /** Messages of the warm-up that were taken out to be sent; they are the first. */
  warm = 0
  #warmBytes = 0
  /** Those that the system has taken whole, and where the last of them ends. */
  #messages = 0
  #end = 0
  readonly #traffic: Sending
  readonly #connection: number

  constructor(traffic: Sending, connection: number) {
    this.#traffic = traffic
    this.#connection = connection
  }

  takeWarm(sizeBytes: number): void {
    this.warm++
    this.#warmBytes += sizeBytes
  }

  /** Up to there, which is more than before. @param messages how many end there, if one does */
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

  /** It goes on from there: what the system has not taken of what is before is never sent. */
  skip(toBytes: number, messages: number): void {
    this.bytes = this.#end = toBytes
    this.#messages = messages
  }

  /** The messages that end before that place. */
  #count(untilBytes: number): void {
    const { sizes } = this.#traffic
    for (;;) {
      const sizeBytes = sizes.fixedBytes || sizes.of(this.#connection, this.#messages)
      if (this.#end + sizeBytes > untilBytes) return
      this.#end += sizeBytes
      this.#messages++
    }
  }

  /** Of those that were sent, how many there are behind the first ones, the warm-up left out. */
  measuredBeyond(messages: number): number {
    return Math.max(0, this.#messages - Math.max(messages, this.warm))
  }
}
