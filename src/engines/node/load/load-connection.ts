/** One connection of a load: sends its stream's messages, and gives the stream what comes back. */
import type { Duplex } from 'node:stream'
import { expected, messageOf } from '../../../load/payload.ts'
import type { Stream } from '../../../load/stream.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import type { Traffic } from '../../../load/traffic.ts'
import { counter } from '../../../metrics/meter.ts'
import type { Carries } from '../../../vocabulary/transport.ts'
import { failureName, reasonWhy } from '../../failures.ts'
import { StatusError } from '../../../vocabulary/peer-errors.ts'
import { countReconnects } from '../http/reconnects.ts'
import { unsentBytes } from '../core/unsent.ts'
import type { Stamps } from './stamps.ts'

/** The most bytes in the socket. With more, no message is issued: messages wait in the plan. */
const loadUnsentMaxBytes = 256 * 1024
const togetherBytes = 64 * 1024

export class LoadConnection {
  readonly #traffic: Traffic
  readonly #stream: Stream
  readonly #socket: Duplex
  readonly #hasBounds: boolean
  readonly #stamps: Stamps | undefined

  constructor(
    traffic: Traffic,
    stream: Stream,
    socket: Duplex,
    carries: Carries,
    onClosed: () => void,
    stamps?: Stamps,
  ) {
    this.#stamps = stamps
    this.#hasBounds = carries !== 'bytes'
    this.#traffic = traffic
    this.#stream = stream
    this.#socket = socket
    countReconnects(socket, traffic)
    socket.on('data', (chunk: Buffer | string) => this.#onData(chunk))
    socket.on('drain', () => this.send())
    socket.on('end', () => this.#onEnd())
    socket.on('error', error => {
      const isFirst = !stream.failed
      stream.fail(counter[failureName(error)], reasonWhy(error))
      if (error instanceof StatusError && isFirst && !stream.broken)
        traffic.evidence.noteStatus(error.status)
    })
    socket.on('close', () => {
      stream.ended()
      onClosed()
    })
    // The connection may have closed before these listeners were added.
    if (!socket.closed) return
    const { errored } = socket
    if (errored) stream.fail(counter[failureName(errored)], reasonWhy(errored))
    setImmediate(() => socket.emit('close'))
  }

  /** Sends all that may go out now, and closes if nothing is left to do. */
  send(): void {
    const [stream, socket] = [this.#stream, this.#socket]
    while (socket.writable && socket.writableLength < loadUnsentMaxBytes) {
      const offset = stream.issuedBytes
      // Messages that may go out together are written together, with one write for each piece.
      const length = stream.issue(nowNs(), this.#hasBounds ? 1 : togetherBytes)
      if (length === 0) break
      this.#write(offset, length)
    }
    this.countSent()
    this.finish()
  }

  /**
   * Tells the stream how much the system has accepted. Bytes that libuv still has do not count as
   * sent.
   */
  countSent(atNs?: number): void {
    const [stream, socket] = [this.#stream, this.#socket]
    if (!socket.destroyed) stream.onSent(stream.issuedBytes - unsentBytes(socket), atNs)
  }

  #write(offset: number, length: number) {
    const { payload } = this.#traffic
    if (this.#hasBounds) {
      this.#socket.write(messageOf(payload, this.#stream.connection, offset, length))
      return
    }
    const inPieces = payload.pieceBytes(offset) < length
    if (inPieces) this.#socket.cork()
    for (let at = 0; at < length;) {
      const part = expected(payload, this.#stream.connection, offset + at, length - at)
      this.#socket.write(part)
      at += part.length
    }
    if (inPieces) this.#socket.uncork()
  }

  #onData(data: Buffer | string) {
    const chunk = typeof data === 'string' ? Buffer.from(data) : data
    const now = nowNs()
    const cameNs = this.#stamps?.cameNs ?? now
    const right = this.#hasBounds
      ? this.#stream.arrivedMessage(chunk, 0, chunk.length, now, cameNs)
      : this.#stream.arrived(chunk, 0, chunk.length, now, cameNs)
    if (right) return this.send()
    this.countSent()
    this.#socket.destroy()
  }

  #onEnd() {
    this.#stream.ended()
    // A new connection will replace this one, so unsent bytes need not be sent.
    if (this.#stream.broken) this.#socket.destroy()
    else this.#socket.end()
  }

  /** Closes if everything has come back and nothing more is planned. */
  finish(): void {
    if (this.#stream.done && this.#socket.writable) this.#socket.end()
  }

  /** Closes at once. What has not come back is lost, and counts as planned but not received. */
  abandon(): void {
    this.countSent()
    this.#stream.failed = true
    this.#socket.destroy()
  }
}
