/**
 * Frames follow the hello in both directions. The payload of all frames is one stream, so the
 * receiver knows every byte of it, wherever the path cuts it.
 *
 *   kind 1 | checksum 3 | length 4 | bytes
 *
 * The checksum is the upper 24 bits of the CRC-32 of zlib, which begins with the kind. It covers
 * the length, and the bytes unless they are payload: the receiver knows the payload.
 */
import { crc32 } from 'node:zlib'
import { Joined } from '../ws/joined.ts'
import { isReport, type Report, type Trace } from './trace.ts'

/** The first byte of each frame. None of these is a byte of the magic (hello.ts). */
export const frameKinds = {
  /** From the server: the session is accepted. */
  accepted: 0xb1,
  /** From the server: the session is refused. Then the server ends the connection. */
  refused: 0xb2,
  payload: 0xb3,
  /** From the server: how much it has received so far. */
  report: 0xb4,
  /**
   * The last frame of each side: the session is over. After the end of the client the server sends
   * its report.
   */
  end: 0xb5,
  /** From the client: all flows are connected, so the server begins to send payload. */
  start: 0xb6,
  /** From the server: the trace that was asked for. */
  trace: 0xb7,
  /** From the server, each second: what its kernel knows of the connection (TCP_INFO). */
  sending: 0xb8,
} as const
type FrameKind = (typeof frameKinds)[keyof typeof frameKinds]
const isKind = (byte: number): byte is FrameKind => byte >= 0xb1 && byte <= 0xb8

export const frameHeadBytes = 8
/** The longest body that is not payload: it is kept until it is whole. */
const bodyMaxBytes = 2 ** 20

export interface AcceptedBody {
  /** The client's address, as the server sees it; absent on a unix socket. */
  from?: string | undefined
  /** SHA-256 of the server's own certificate, hexadecimal; absent without TLS. */
  fingerprint?: string | undefined
}

export interface RefusedBody {
  reason: string
}

export interface Bodies {
  [frameKinds.accepted]: AcceptedBody
  [frameKinds.refused]: RefusedBody
  [frameKinds.report]: Report
  [frameKinds.end]: { sentBytes: number }
  [frameKinds.sending]: { retransmits: number; rttUs: number; windowBytes: number }
  [frameKinds.start]: object
  [frameKinds.trace]: { trace: Trace | null }
}

/** Checks of each kind of body, since the other end may send anything. */
const makeSense: { [K in keyof Bodies]: (body: Partial<Bodies[K]>) => boolean } = {
  [frameKinds.accepted]: ({ from, fingerprint }) =>
    [from, fingerprint].every(each => each === undefined || typeof each === 'string'),
  [frameKinds.refused]: ({ reason }) => typeof reason === 'string',
  [frameKinds.report]: isReport,
  [frameKinds.end]: ({ sentBytes }) => Number.isSafeInteger(sentBytes) && sentBytes! >= 0,
  [frameKinds.start]: () => true,
  [frameKinds.sending]: ({ retransmits, rttUs, windowBytes }) =>
    [retransmits, rttUs, windowBytes].every(Number.isFinite),
  [frameKinds.trace]: ({ trace }) => typeof trace === 'object',
}

const nothing = Buffer.alloc(0)

/** @param body if it is not payload */
export function frameHead(kind: FrameKind, length: number, body: Uint8Array = nothing): Buffer {
  const head = Buffer.alloc(frameHeadBytes)
  head[0] = kind
  head.writeUInt32BE(length, 4)
  head.writeUIntBE(frameChecksum(head, body), 1, 3)
  return head
}

const frameChecksum = (head: Buffer, body: Uint8Array): number =>
  crc32(body, crc32(head.subarray(4, frameHeadBytes), head[0])) >>> 8

/** Whether header and body are as they were written. */
const isIntact = (head: Buffer, body: Uint8Array): boolean =>
  head.readUIntBE(1, 3) === frameChecksum(head, body)

/** A frame whose body is JSON. */
export function writeFrame<K extends keyof Bodies>(kind: K, body: Bodies[K]): Buffer {
  const bytes = Buffer.from(JSON.stringify(body))
  return Buffer.concat([frameHead(kind, bytes.length, bytes), bytes])
}

export interface FrameEvents {
  /** The next bytes of payload are `chunk[from..to)`. */
  onPayload(chunk: Buffer, from: number, to: number): void
  onFrame<K extends keyof Bodies>(kind: K, body: Bodies[K]): void
}

/** Reads frames from chunks, wherever these are cut. Payload is passed on and never kept. */
export class SessionFrameReader {
  readonly #events: FrameEvents
  /** The received part of the header, or of a body that is not payload. */
  readonly #head = Buffer.alloc(frameHeadBytes)
  #headBytes = 0
  #body = new Joined()
  /** How many bytes of the body are missing. */
  #leftBytes = 0
  #read = 0
  #broken: string | undefined

  constructor(events: FrameEvents) {
    this.#events = events
  }

  /** Why no more can be read, because the bytes are not a frame; undefined if they are. */
  get broken(): string | undefined {
    return this.#broken
  }

  push(chunk: Buffer, from = 0): void {
    let at = from
    while (at < chunk.length && this.#broken === undefined) {
      if (this.#headBytes < frameHeadBytes) {
        at += this.#takeHead(chunk, at)
        continue
      }
      const taken = Math.min(this.#leftBytes, chunk.length - at)
      this.#leftBytes -= taken
      this.#read += taken
      if (this.#head[0] === frameKinds.payload) this.#events.onPayload(chunk, at, at + taken)
      // A copy: the caller may use the memory of the chunk again.
      else this.#join(chunk.subarray(at, at + taken))
      at += taken
      if (this.#leftBytes === 0) this.#finish()
    }
  }

  #join(piece: Buffer) {
    const length = this.#body.length + piece.length + this.#leftBytes
    this.#body.add(piece, length, bodyMaxBytes)
  }

  #takeHead(chunk: Buffer, at: number): number {
    const taken = Math.min(frameHeadBytes - this.#headBytes, chunk.length - at)
    chunk.copy(this.#head, this.#headBytes, at, at + taken)
    this.#headBytes += taken
    this.#read += taken
    if (this.#headBytes < frameHeadBytes) return taken
    const kind = this.#head[0]!
    this.#leftBytes = this.#head.readUInt32BE(4)
    const isPayload = kind === frameKinds.payload
    const isWrong = isPayload ? !isIntact(this.#head, nothing) : this.#leftBytes > bodyMaxBytes
    if (!isKind(kind) || isWrong)
      this.#broken = `what came at byte ${this.#read - frameHeadBytes} is not a frame`
    else if (this.#leftBytes === 0) this.#finish()
    return taken
  }

  #finish() {
    const kind = this.#head[0] as FrameKind
    this.#headBytes = 0
    if (kind === frameKinds.payload) return
    const { bytes, length } = this.#body
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, length)
    const isRight = isIntact(this.#head, body)
    const text = body.toString()
    this.#body.free()
    this.#body = new Joined()
    if (!isRight) {
      this.#broken = `the frame that ends at byte ${this.#read} was changed on the way`
      return
    }
    try {
      const parsed = JSON.parse(text) as unknown
      const isObject = typeof parsed === 'object' && parsed !== null
      if (isObject && makeSense[kind](parsed)) return this.#events.onFrame(kind, parsed)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
    this.#broken = `the frame that ends at byte ${this.#read} makes no sense`
  }
}
