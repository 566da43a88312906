/** One connection of a load: sends messages, knows what must come back, times the round trips. */
import type { Socket } from 'node:net'
import { firstWrongByte, type Payload } from '../../load/payload.ts'
import { counter, type Meter } from '../../metrics/meter.ts'
import type { WrongBytes } from '../../load/payload.ts'
import { failureName } from '../failures.ts'

/** Whoever decides for all connections. */
export interface Conductor {
  /** Closed loop: whether another message may be sent; if so, it counts as sent. */
  mayGoOn(): boolean
  /** Open loop: when the n-th message of a connection was to be sent. */
  plannedMs(connection: number, n: number): number
  onWrong(wrong: WrongBytes): void
  onClosed(): void
}

/** How much of a wrong answer is shown. */
const shownBytes = 32
/** Above this the system takes no more; messages then wait for their turn, unsent. */
const unsentMaxBytes = 256 * 1024

export class LoadConnection {
  readonly #socket: Socket
  readonly #number: number
  readonly #payload: Payload
  readonly #meter: Meter
  readonly #conductor: Conductor
  /** Closed loop: when each message in flight was sent, by its number modulo the depth. */
  readonly #sentAtMs: Float64Array
  /** Messages sent, and received whole. */
  #sent = 0
  #received = 0
  #receivedBytes = 0
  /** Open loop: messages that should have been sent by now. */
  #ordered = 0
  #finishing = false
  #failed = false

  /** @param depth messages in flight; 0 for an open loop, in which only order() sends */
  constructor(
    socket: Socket,
    number: number,
    payload: Payload,
    depth: number,
    meter: Meter,
    conductor: Conductor,
  ) {
    this.#socket = socket
    this.#number = number
    this.#payload = payload
    this.#sentAtMs = new Float64Array(depth)
    this.#meter = meter
    this.#conductor = conductor
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('drain', () => this.#sendOrdered())
    socket.on('end', () => this.#onEnd())
    socket.on('error', error => this.#fail(counter[failureName(error)]))
    socket.on('close', () => conductor.onClosed())
    // It may have broken before there was anybody to be told.
    if (socket.closed) setImmediate(() => this.#onLostEarly(socket.errored))
  }

  #onLostEarly(error: Error | null) {
    this.#fail(error ? counter[failureName(error)] : counter.closedEarly)
    this.#conductor.onClosed()
  }

  /** Closed loop: fills the flight. */
  start(): void {
    for (let n = 0; n < this.#sentAtMs.length && this.#conductor.mayGoOn(); n++) this.#send()
    if (this.#sent === 0) this.finish()
  }

  /** Open loop: one more message is due. */
  order(): void {
    this.#ordered++
    this.#sendOrdered()
  }

  #sendOrdered() {
    if (this.#socket.destroyed) return
    while (this.#sent < this.#ordered && this.#socket.writableLength < unsentMaxBytes) this.#send()
  }

  #send() {
    const { sizeBytes } = this.#payload
    const depth = this.#sentAtMs.length
    if (depth > 0) this.#sentAtMs[this.#sent % depth] = performance.now()
    const offset = this.#sent * sizeBytes
    for (let at = 0; at < sizeBytes;) {
      const part = this.#payload.expected(this.#number, offset + at, sizeBytes - at)
      this.#socket.write(part)
      at += part.length
    }
    this.#sent++
    this.#meter.counters[counter.messagesSent]!++
    this.#meter.counters[counter.bytesOut]! += sizeBytes
  }

  #onData(chunk: Buffer) {
    const { counters } = this.#meter
    counters[counter.chunks]!++
    counters[counter.bytesIn]! += chunk.length
    const wrongAt = firstWrongByte(this.#payload, this.#number, this.#receivedBytes, chunk)
    const tooMuch = this.#receivedBytes + chunk.length - this.#sent * this.#payload.sizeBytes
    if (wrongAt !== -1) this.#onWrong(chunk, wrongAt)
    else if (tooMuch > 0) this.#onWrong(chunk, chunk.length - tooMuch)
    else this.#onRight(chunk.length)
  }

  #onRight(length: number) {
    this.#receivedBytes += length
    const whole = Math.floor(this.#receivedBytes / this.#payload.sizeBytes)
    if (whole === this.#received) return
    const nowMs = performance.now()
    const depth = this.#sentAtMs.length
    for (; this.#received < whole; this.#received++) {
      const n = this.#received
      const sinceMs = depth > 0 ? this.#sentAtMs[n % depth]! : this.#plannedMs(n)
      this.#meter.latency.record((nowMs - sinceMs) * 1e6)
      this.#meter.counters[counter.messagesReceived]!++
      if (depth > 0 && this.#conductor.mayGoOn()) this.#send()
    }
    if (depth > 0 && this.#received === this.#sent) this.finish()
    else if (this.#finishing) this.finish()
  }

  #plannedMs(n: number) {
    return this.#conductor.plannedMs(this.#number, n)
  }

  #onWrong(chunk: Buffer, at: number) {
    const offset = this.#receivedBytes + at
    this.#conductor.onWrong({
      connection: this.#number,
      offset,
      expected: Uint8Array.from(this.#payload.expected(this.#number, offset, shownBytes)),
      received: Uint8Array.from(chunk.subarray(at, at + shownBytes)),
    })
    this.#fail(counter.wrongBytes)
    this.#socket.destroy()
  }

  #onEnd() {
    if (this.#received < this.#sent || !this.#finishing) this.#fail(counter.closedEarly)
    this.#socket.end()
  }

  /** A connection fails once, for its first reason. */
  #fail(reason: number) {
    if (!this.#failed) this.#meter.counters[reason]!++
    this.#failed = true
  }

  /** Sends nothing more; hangs up once everything has come back. */
  finish(): void {
    this.#finishing = true
    this.#ordered = this.#sent
    if (this.#received === this.#sent) this.#socket.end()
  }

  /** Hangs up. What has not come back is lost, and shows as sent but not received. */
  abandon(): void {
    this.#finishing = true
    this.#failed = true
    this.#socket.destroy()
  }
}
