/** A client's WebSocket as a stream: each write is a message, and so is each chunk that is read. */
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { ClosedError, ProtocolError } from '../../../vocabulary/peer-errors.ts'
import { opcode } from '../../../wire/ws/frames.ts'
import { unsentMaxBytes } from '../../backpressure.ts'
import { FrameWriter } from './frame-writer.ts'
import { dataOf } from './socket.ts'

/**
 * Strings are messages of text, buffers are binary. `end()` closes with 1000; messages may
 * still come until the other side has closed, too.
 */
export class MessageStream extends Duplex {
  readonly #ws: WebSocket
  readonly #socket: Socket
  readonly #writer: FrameWriter
  #onDrain: (() => void) | undefined
  /** The newest ping whose pong had no room; older ones need none (RFC 6455 section 5.5.3). */
  #unanswered: Buffer | undefined
  #error: Error | undefined

  /**
   * @param masked whether frames are masked: those of a client must be, those of a server must not
   */
  constructor(ws: WebSocket, socket: Socket, masked = true) {
    super({ readableObjectMode: true, decodeStrings: false })
    this.#ws = ws
    this.#socket = socket
    this.#writer = new FrameWriter(socket, masked)
    ws.on('message', (data, isBinary) => {
      const message = dataOf(data)
      if (!this.push(isBinary ? message : message.toString())) ws.pause()
    })
    ws.on('ping', data => {
      if (this.#writer.waitingBytes < unsentMaxBytes) ws.pong(data)
      // The stream is still read: the server may wait for that.
      else this.#unanswered = data
    })
    socket.on('drain', () => {
      if (this.#unanswered) ws.pong(this.#unanswered)
      this.#unanswered = undefined
      this.#drained()
    })
    socket.on('error', error => (this.#error ??= error))
    // A frame made no sense. The package has told the other side already.
    ws.on('error', error => this.destroy(new ProtocolError(error.message)))
    ws.on('close', (code, reason) => this.#onClosed(code, reason.toString()))
  }

  /** Bytes that the system has not accepted, with the headers of frames. */
  get unsentBytes(): number {
    return this.writableLength + this.#writer.waitingBytes
  }

  /** The round trip of a ping, in milliseconds. */
  ping(): Promise<number> {
    const sentAtMs = performance.now()
    return new Promise((resolve, reject) => {
      // Pings in a long silence are many, so their listeners must not stay.
      const settle = () => {
        this.off('close', closed)
        this.#ws.off('pong', answered)
      }
      const closed = () => {
        settle()
        reject(new Error('closed'))
      }
      const answered = () => {
        settle()
        resolve(performance.now() - sentAtMs)
      }
      this.once('close', closed)
      this.#ws.once('pong', answered)
      this.#ws.ping()
    })
  }

  #onClosed(code: number, reason: string) {
    // 1005: without a code; 1006: without a close frame. Both are the end of a stream, as FIN is.
    if (code !== 1000 && code !== 1001 && code !== 1005 && code !== 1006) {
      const why = reason === '' ? '' : `: ${reason}`
      this.#error ??= new ClosedError(`closed with ${code}${why}`)
    }
    this.#drained()
    if (this.#error) this.destroy(this.#error)
    else this.push(null)
  }

  #drained() {
    const onDrain = this.#onDrain
    this.#onDrain = undefined
    onDrain?.()
  }

  override _read(): void {
    if (this.#ws.isPaused) this.#ws.resume()
  }

  override _write(data: Buffer | string, _: string, callback: (error?: Error | null) => void) {
    const isText = typeof data === 'string'
    if (this.#ws.readyState === this.#ws.OPEN)
      this.#writer.frame(isText ? opcode.text : opcode.binary, isText ? Buffer.from(data) : data)
    if (this.#writer.waitingBytes < unsentMaxBytes || this.#socket.destroyed) callback()
    else this.#onDrain = callback
  }

  /** Sends the close frame. It calls back when the other side has sent its own, or is gone. */
  override _final(callback: (error?: Error | null) => void): void {
    this.#writer.flush()
    this.#ws.close(1000)
    callback()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#drained()
    const ws = this.#ws
    if (ws.readyState === ws.CLOSED) return callback(error)
    ws.once('close', () => callback(error))
    // Sends the close frame only if it can leave at once, since nothing waits for it.
    if (!error && ws.readyState === ws.OPEN && this.#writer.waitingBytes === 0) ws.close(1000)
    ws.terminate()
  }
}
