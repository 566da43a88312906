/** Writes the frames of one turn together. */
import type { Duplex } from 'node:stream'
import { frameHeader, headerMaxBytes, maskedFrame, putFrame } from '../../../wire/ws/frames.ts'

/** Frames up to this size are written together; a larger one is written alone. */
const togetherMaxBytes = 16 * 1024
/** One buffer for all connections of a thread: each needs it only within a turn. */
const together = Buffer.allocUnsafeSlow(64 * 1024)
let writer: FrameWriter | undefined

/**
 * Writes all frames of one turn at once: a client that sends thousands of tiny messages together
 * costs one write, and not thousands of objects for as long as it does not read.
 */
export class FrameWriter {
  readonly #stream: Duplex
  readonly #masked: boolean
  #bytes = 0

  constructor(stream: Duplex, masked: boolean) {
    this.#stream = stream
    this.#masked = masked
  }

  /** Bytes that wait here or in the stream. */
  get waitingBytes(): number {
    return this.#bytes + this.#stream.writableLength
  }

  frame(code: number, payload: Uint8Array): void {
    if (payload.length > togetherMaxBytes) return this.#alone(code, payload)
    if (writer !== this) {
      takeTurn(this)
    } else if (this.#bytes + headerMaxBytes + payload.length > together.length) this.#write()
    this.#bytes = putFrame(together, this.#bytes, code, payload, this.#masked)
  }

  #alone(code: number, payload: Uint8Array) {
    this.flush()
    if (!this.#stream.writable) return
    if (this.#masked) {
      this.#stream.write(maskedFrame(code, payload))
      return
    }
    this.#stream.cork()
    this.#stream.write(frameHeader(code, payload.length))
    this.#stream.write(payload)
    this.#stream.uncork()
  }

  flush(): void {
    if (writer !== this) return
    writer = undefined
    this.#write()
  }

  #write() {
    const bytes = this.#bytes
    this.#bytes = 0
    if (bytes > 0 && this.#stream.writable)
      this.#stream.write(Buffer.from(together.subarray(0, bytes)))
  }
}

const flushWriter = () => writer?.flush()

/** The buffer is valid until the end of the turn, or until another connection takes it. */
function takeTurn(next: FrameWriter) {
  flushWriter()
  writer = next
  process.nextTick(flushWriter)
}
