/** Writes frames of WebSocket (RFC 6455 section 5.2). */
import { randomFillSync } from 'node:crypto'

export const opcode = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** The longest header: two bytes, eight for a long length, four for the mask. */
export const headerMaxBytes = 14

/** Random masks: clients have to mask their payloads with unpredictable bytes (section 5.3). */
const masks = Buffer.allocUnsafeSlow(8 * 1024)
let maskAt = masks.length

/**
 * Puts a frame into memory that has room for its payload and `headerMaxBytes`.
 * @returns where the frame ends
 */
export function putFrame(
  into: Buffer,
  from: number,
  code: number,
  payload: Uint8Array,
  masked: boolean,
): number {
  let at = putHeader(into, from, code, payload.length, masked)
  if (masked) {
    const mask = nextMask()
    for (let n = 0; n < 4; n++) into[at++] = masks[mask + n]!
    putMasked(into, at, payload, mask)
  } else into.set(payload, at)
  return at + payload.length
}

/** A frame in memory of its own: faster for a long payload. */
export function maskedFrame(code: number, payload: Uint8Array): Buffer {
  // Some bytes are left free at the beginning, so that the payload is aligned to words.
  const frame = Buffer.allocUnsafeSlow(16 + payload.length)
  const from = payload.length < 126 ? 10 : payload.length < 65_536 ? 8 : 2
  putHeader(frame, from, code, payload.length, true)
  const mask = nextMask()
  masks.copy(frame, 12, mask, mask + 4)
  frame.set(payload, 16)
  maskWords(frame, 16, mask)
  return frame.subarray(from)
}

/** How long the header of a frame without a mask is. */
export const headBytes = (payloadBytes: number): number =>
  payloadBytes < 126 ? 2 : payloadBytes < 65_536 ? 4 : 10

/** The header of a frame without a mask. */
export function frameHeader(code: number, payloadBytes: number): Buffer {
  const header = Buffer.allocUnsafe(headerMaxBytes)
  return header.subarray(0, putHeader(header, 0, code, payloadBytes, false))
}

/** Writes a header. Returns where the payload, or its mask, begins. */
export function putHeader(
  into: Uint8Array,
  at: number,
  code: number,
  length: number,
  masked: boolean,
): number {
  const maskBit = masked ? 0x80 : 0
  into[at] = 0x80 | code
  if (length < 126) {
    into[at + 1] = maskBit | length
    return at + 2
  }
  const size = length < 65_536 ? 2 : 8
  into[at + 1] = maskBit | (size === 2 ? 126 : 127)
  let rest = length
  for (let n = at + 1 + size; n > at + 1; n--) {
    into[n] = rest
    rest = Math.floor(rest / 256)
  }
  return at + 2 + size
}

/** A new mask; its first byte is the lowest one. */
export function newMask(): number {
  const at = nextMask()
  return masks[at]! | (masks[at + 1]! << 8) | (masks[at + 2]! << 16) | (masks[at + 3]! << 24)
}

/** Writes a mask behind a header. Returns where the payload begins. */
export function putMask(into: Uint8Array, at: number, mask: number): number {
  for (let n = 0; n < 4; n++) into[at + n] = mask >>> (n << 3)
  return at + 4
}

/** The place of the next mask in `masks`. */
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

/** Masks in place, from a multiple of 4 to the end. */
function maskWords(frame: Buffer, from: number, mask: number) {
  const words = new Uint32Array(frame.buffer, frame.byteOffset + from, (frame.length - from) >> 2)
  const word = new Uint32Array(masks.buffer, masks.byteOffset + mask, 1)[0]!
  for (let n = 0; n < words.length; n++) words[n]! ^= word
  for (let at = from + words.length * 4; at < frame.length; at++)
    frame[at]! ^= masks[mask + ((at - from) & 3)]!
}
