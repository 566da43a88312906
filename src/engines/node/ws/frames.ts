/** Frames that wait to be written together (RFC 6455 section 5.2). */
import { randomFillSync } from 'node:crypto'
import type { Duplex } from 'node:stream'

export const opcode = { text: 1, binary: 2, pong: 10 } as const

/** Together in one buffer; what is larger leaves alone. */
const togetherMaxBytes = 16 * 1024
/** Two bytes, eight of a great length, four of the mask. */
const headerMaxBytes = 14
/** One for all connections of a thread, since each is done with it within a turn. */
const together = Buffer.allocUnsafeSlow(64 * 1024)
let writer: FrameWriter | undefined

/** Clients mask what they send, with bytes that cannot be foreseen (section 5.3). */
const masks = Buffer.allocUnsafeSlow(8 * 1024)
let maskAt = masks.length

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

  /** What waits here or in the stream, in bytes. */
  get waitingBytes(): number {
    return this.#bytes + this.#stream.writableLength
  }

  frame(code: number, payload: Uint8Array): void {
    if (payload.length > togetherMaxBytes) return this.#alone(code, payload)
    if (writer !== this) {
      takeTurn(this)
    } else if (this.#bytes + headerMaxBytes + payload.length > together.length) this.#write()
    let at = putHeader(together, this.#bytes, code, payload.length, this.#masked)
    if (this.#masked) {
      const mask = nextMask()
      for (let n = 0; n < 4; n++) together[at++] = masks[mask + n]!
      putMasked(together, at, payload, mask)
    } else together.set(payload, at)
    this.#bytes = at + payload.length
  }

  #alone(code: number, payload: Uint8Array) {
    this.flush()
    if (!this.#stream.writable) return
    if (this.#masked) {
      // Two bytes are left out at the beginning, so that the payload lies where words do.
      const frame = Buffer.allocUnsafeSlow(16 + payload.length)
      const from = payload.length < 65_536 ? 8 : 2
      putHeader(frame, from, code, payload.length, true)
      const mask = nextMask()
      masks.copy(frame, 12, mask, mask + 4)
      frame.set(payload, 16)
      maskWords(frame, 16, mask)
      this.#stream.write(frame.subarray(from))
      return
    }
    const header = Buffer.allocUnsafe(headerMaxBytes)
    this.#stream.cork()
    this.#stream.write(header.subarray(0, putHeader(header, 0, code, payload.length, false)))
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

/** Where the payload or its mask begins. */
function putHeader(into: Buffer, at: number, code: number, length: number, masked: boolean) {
  const maskBit = masked ? 0x80 : 0
  into[at] = 0x80 | code
  if (length < 126) {
    into[at + 1] = maskBit | length
    return at + 2
  }
  if (length < 65_536) {
    into[at + 1] = maskBit | 126
    into.writeUInt16BE(length, at + 2)
    return at + 4
  }
  into[at + 1] = maskBit | 127
  into.writeBigUInt64BE(BigInt(length), at + 2)
  return at + 10
}

/** Where in `masks` it lies. */
function nextMask(): number {
  if (maskAt === masks.length) {
    randomFillSync(masks)
    maskAt = 0
  }
  maskAt += 4
  return maskAt - 4
}

function putMasked(into: Buffer, at: number, payload: Uint8Array, mask: number) {
  const [m0, m1, m2, m3] = [masks[mask]!, masks[mask + 1]!, masks[mask + 2]!, masks[mask + 3]!]
  const { length } = payload
  let n = 0
  for (; n + 3 < length; n += 4) {
    into[at + n] = payload[n]! ^ m0
    into[at + n + 1] = payload[n + 1]! ^ m1
    into[at + n + 2] = payload[n + 2]! ^ m2
    into[at + n + 3] = payload[n + 3]! ^ m3
  }
  for (; n < length; n++) into[at + n] = payload[n]! ^ masks[mask + (n & 3)]!
}

/** In place, from a multiple of 4 to the end. */
function maskWords(frame: Buffer, from: number, mask: number) {
  const words = new Uint32Array(frame.buffer, frame.byteOffset + from, (frame.length - from) >> 2)
  const word = new Uint32Array(masks.buffer, masks.byteOffset + mask, 1)[0]!
  for (let n = 0; n < words.length; n++) words[n]! ^= word
  for (let at = from + words.length * 4; at < frame.length; at++)
    frame[at]! ^= masks[mask + ((at - from) & 3)]!
}
