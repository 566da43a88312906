/**
 * Reads frames of WebSocket (RFC 6455 section 5) out of bytes that come in any pieces. A payload
 * that came as a whole stays in its memory, and is unmasked there. Only a payload in pieces is
 * copied.
 */
import { isUtf8 } from 'node:buffer'
import { isCloseCode } from './closing.ts'
import { headBytes, opcode } from './frames.ts'
import { Joined } from './joined.ts'
import { rotated, unmask, type Memory } from './mask.ts'

/** What next() has found. */
export const found = {
  /** Nothing: more bytes are needed. */
  NONE: 0,
  MESSAGE: 1,
  PING: 2,
  PONG: 3,
  /** A close frame; later bytes are not read. */
  CLOSE: 4,
  /** The other side broke a rule; later bytes are not read. */
  FAILURE: 5,
} as const
export type FrameEvent = (typeof found)[keyof typeof found]

/** Between two frames. */
const BETWEEN = -1
const fin = 0x80
const reserved = 0x70
const maskBit = 0x80
/** The upper half of the longest length that a number can have. */
const highMax = 2 ** 21 - 1
const none = new Uint8Array(0)
/** Up to this length a loop over the bytes costs less than a call. */
const shortBytes = 64

export class WsFrameReader {
  /** For a message: text or binary. */
  opcode = 0
  /** Where the payload of what was found lies, until the next call. */
  bytes: Uint8Array = none
  at = 0
  length = 0
  /** Whether the payload is a copy in memory of the reader. */
  isCopy = false
  /** For CLOSE: the code, 1005 if there is none. For FAILURE: the code for the reason. */
  code = 0
  /**
   * Set by the caller: where payloads are moved to, each with room for an unmasked header before
   * it; -1: they stay in their place.
   */
  cursor = -1
  readonly #isMasked: boolean
  readonly #messageMaxBytes: number
  #memory!: Memory
  #from = 0
  #to = 0
  /** The beginning of a header that is not complete. */
  #head = none
  /** The frame that is being read; `#left` bytes of its payload are missing. */
  #left = BETWEEN
  #whole = 0
  #mask = 0
  #opcode = 0
  #isFinal = false
  /** The opcode of a message in fragments; 0: there is none. */
  #fragmented = 0
  /** The length of the payloads of the fragments so far. */
  #total = 0
  #joined: Joined | undefined
  #control: Joined | undefined
  /** What was found last, if it was joined. */
  #taken: Joined | undefined
  #isOver = false

  /** @param isMasked whether frames must have masks, as those of clients; else they must not */
  constructor(isMasked: boolean, messageMaxBytes: number) {
    this.#isMasked = isMasked
    this.#messageMaxBytes = messageMaxBytes
  }

  /**
   * Gives the reader new bytes. Before that, take everything that it has found in the earlier ones.
   */
  give(memory: Memory, from: number, to: number): void {
    this.#memory = memory
    this.#from = from
    this.#to = to
  }

  next(): FrameEvent {
    this.#taken?.free()
    this.#taken = undefined
    for (;;) {
      if (this.#isOver) return found.NONE
      if (this.#left === BETWEEN && !this.#readHead())
        return this.#isOver ? found.FAILURE : found.NONE
      const what = this.#opcode >= opcode.close ? this.#readControl() : this.#readData()
      if (what !== undefined) return what
    }
  }

  /** The copy that was found last stays as it is, also beyond the next call. */
  keep(): Uint8Array {
    this.#taken = undefined
    return this.bytes
  }

  #fail(code: number): typeof found.FAILURE {
    this.code = code
    this.#isOver = true
    return found.FAILURE
  }

  /** Reads the header of a frame; returns whether it is complete. */
  #readHead(): boolean {
    if (this.#head.length === 0) {
      const size = this.#parseHead(this.#memory.bytes, this.#from, this.#to - this.#from)
      if (size === 0) this.#head = this.#memory.bytes.slice(this.#from, this.#to)
      this.#from = size === 0 ? this.#to : this.#from + size
      return size > 0 && !this.#isOver
    }
    while (this.#from < this.#to) {
      const head = Uint8Array.of(...this.#head, this.#memory.bytes[this.#from++]!)
      const size = this.#parseHead(head, 0, head.length)
      this.#head = size === 0 ? head : none
      if (size > 0) return !this.#isOver
    }
    return false
  }

  /** Returns the length of the header; 0 if bytes are missing. Checks the bytes that are there. */
  #parseHead(bytes: Uint8Array, at: number, there: number): number {
    if (there < 2) return 0
    const first = bytes[at]!
    const second = bytes[at + 1]!
    if (!this.#isAllowed(first, second)) return this.#fail(1002)
    let length = second & 0x7f
    let size = length < 126 ? 2 : length === 126 ? 4 : 10
    if (there < size) return 0
    if (length === 126) length = (bytes[at + 2]! << 8) | bytes[at + 3]!
    else if (length === 127) {
      const high = wordAt(bytes, at + 2)
      if (high > highMax) return this.#fail(1009)
      length = high * 2 ** 32 + wordAt(bytes, at + 6)
    }
    const isControl = (first & 0x08) !== 0
    if (!isControl && this.#total + length > this.#messageMaxBytes) return this.#fail(1009)
    const mask = at + size
    if (this.#isMasked) size += 4
    if (there < size) return 0
    this.#mask = this.#isMasked
      ? bytes[mask]! | (bytes[mask + 1]! << 8) | (bytes[mask + 2]! << 16) | (bytes[mask + 3]! << 24)
      : 0
    this.#begin(first, length)
    return size
  }

  #begin(first: number, length: number): void {
    this.#opcode = first & 0x0f
    this.#isFinal = (first & fin) !== 0
    this.#whole = length
    this.#left = length
    if (this.#opcode >= opcode.close) return
    this.#total += length
    if (this.#opcode !== opcode.more && !this.#isFinal) this.#fragmented = this.#opcode
  }

  #isAllowed(first: number, second: number): boolean {
    if ((first & reserved) !== 0) return false
    if (((second & maskBit) !== 0) !== this.#isMasked) return false
    switch (first & 0x0f) {
      case opcode.more:
        return this.#fragmented !== 0
      case opcode.text:
      case opcode.binary:
        return this.#fragmented === 0
      case opcode.close:
        return (first & fin) !== 0 && (second & 0x7f) < 126 && (second & 0x7f) !== 1
      case opcode.ping:
      case opcode.pong:
        return (first & fin) !== 0 && (second & 0x7f) < 126
      default:
        return false
    }
  }

  /**
   * Reads the payload of a message. Undefined: it was a fragment, so reading continues with the
   * next frame.
   */
  #readData(): FrameEvent | undefined {
    const isAlone = this.#isFinal && this.#opcode !== opcode.more
    const here = Math.min(this.#left, this.#to - this.#from)
    if (!isAlone || here < this.#whole) return this.#join(here)
    this.opcode = this.#opcode
    this.#total = 0
    this.#takeInPlace()
    return this.#checked()
  }

  #checked(): FrameEvent {
    return this.opcode === opcode.text && !this.#isText() ? this.#fail(1007) : found.MESSAGE
  }

  /** The next bytes are a whole payload. */
  #takeInPlace(): void {
    const [from, length] = [this.#from, this.#whole]
    const to = this.cursor < 0 ? from : Math.min(from, this.cursor + headBytes(length))
    this.#unmask(from, to, length)
    this.bytes = this.#memory.bytes
    this.at = to
    this.length = length
    this.isCopy = false
  }

  #unmask(from: number, to: number, length: number): void {
    unmask(this.#memory, from, to, length, this.#mask)
    this.#from += length
    this.#left -= length
    if (this.#left === 0) this.#left = BETWEEN
    else this.#mask = rotated(this.#mask, length)
  }

  #join(here: number): FrameEvent | undefined {
    this.#joined ??= new Joined()
    this.#copy(this.#joined, here, this.#messageMaxBytes)
    if (this.#left !== BETWEEN) return found.NONE
    if (!this.#isFinal) return undefined
    this.#takeCopy(this.#joined)
    this.opcode = this.#fragmented === 0 ? this.#opcode : this.#fragmented
    this.#joined = undefined
    this.#fragmented = 0
    this.#total = 0
    return this.#checked()
  }

  #copy(to: Joined, here: number, maxBytes: number): void {
    const from = this.#from
    this.#unmask(from, from, here)
    to.add(this.#memory.bytes.subarray(from, from + here), this.#whole, maxBytes)
  }

  #takeCopy(joined: Joined): void {
    this.#taken = joined
    this.bytes = joined.bytes
    this.at = 0
    this.length = joined.length
    this.isCopy = true
  }

  #readControl(): FrameEvent {
    const here = Math.min(this.#left, this.#to - this.#from)
    if (here === this.#whole) this.#takeInPlace()
    else {
      this.#control ??= new Joined()
      this.#copy(this.#control, here, this.#whole)
      if (this.#left !== BETWEEN) return found.NONE
      this.#takeCopy(this.#control)
      this.#control = undefined
    }
    if (this.#opcode === opcode.ping) return found.PING
    return this.#opcode === opcode.pong ? found.PONG : this.#readClose()
  }

  #readClose(): FrameEvent {
    const { bytes, at, length } = this
    this.code = length === 0 ? 1005 : (bytes[at]! << 8) | bytes[at + 1]!
    if (length > 0 && !isCloseCode(this.code)) return this.#fail(1002)
    if (!isUtf8(bytes.subarray(at + 2, at + Math.max(2, length)))) return this.#fail(1007)
    this.#isOver = true
    return found.CLOSE
  }

  #isText(): boolean {
    const { bytes, at, length } = this
    if (length <= shortBytes) {
      let all = 0
      for (let n = at; n < at + length; n++) all |= bytes[n]!
      if (all < 0x80) return true
    }
    return isUtf8(bytes.subarray(at, at + length))
  }
}

/** Reads a word in network byte order (big-endian). */
const wordAt = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
