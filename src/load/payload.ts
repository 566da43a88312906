/**
 * What a load sends, as a function of (connection, offset): nothing that was sent needs to be kept
 * to know what must come back.
 */
export type PayloadSpec =
  /** The same message for ever. */
  | { kind: 'repeat'; message: Uint8Array }
  /** Pseudo-random bytes that differ by connection and offset. */
  | { kind: 'seeded'; seed: number; sizeBytes: number }

export interface Payload {
  /** Bytes in a message. */
  readonly sizeBytes: number
  /**
   * The stream of a connection from an offset on: at least one byte, at most `maxBytes`. Often it
   * is less than asked for; ask again for the rest. The bytes are shared: do not write to them.
   */
  expected(connection: number, offset: number, maxBytes: number): Uint8Array
}

export const createPayload = (spec: PayloadSpec): Payload =>
  spec.kind === 'repeat' ? repeat(spec.message) : seeded(spec.seed, spec.sizeBytes)

/** Copies of the message end to end, so that most requests are answered by one slice. */
function repeat(message: Uint8Array): Payload {
  const sizeBytes = message.length
  const tiled = Buffer.alloc(sizeBytes * Math.max(2, Math.ceil(65_536 / sizeBytes) + 1), message)
  return {
    sizeBytes,
    expected(_connection, offset, maxBytes) {
      const start = offset % sizeBytes
      return tiled.subarray(start, Math.min(start + maxBytes, tiled.length))
    },
  }
}

const tableBytes = 2 ** 20
const blockBytes = 2 ** 16

/**
 * A table of random bytes, in which every 64 KiB block of every connection starts at a random
 * place. A shift, a repetition or another connection's bytes meet other random bytes, so they are
 * wrong from the first or second byte on; and comparing stays a memcmp.
 */
function seeded(seed: number, sizeBytes: number): Payload {
  const table = Buffer.alloc(tableBytes + blockBytes)
  let state = seed >>> 0
  for (let at = 0; at < tableBytes; at += 4) {
    state = (state + 0x9e3779b9) >>> 0
    table.writeUInt32LE(mix(state), at)
  }
  table.copy(table, tableBytes, 0, blockBytes)
  return {
    sizeBytes,
    expected(connection, offset, maxBytes) {
      const block = Math.floor(offset / blockBytes)
      const inside = offset - block * blockBytes
      const start = mix(mix(seed ^ connection) ^ block) & (tableBytes - 1)
      const length = Math.min(maxBytes, blockBytes - inside)
      return table.subarray(start + inside, start + inside + length)
    },
  }
}

/** A permutation of the 32-bit numbers in which each input bit changes half of the output bits. */
function mix(value: number): number {
  let mixed = value >>> 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

/** Index of the first byte of `received` that differs from the stream at `offset`, or -1. */
export function firstWrongByte(
  payload: Payload,
  connection: number,
  offset: number,
  received: Buffer,
): number {
  for (let at = 0; at < received.length;) {
    const right = payload.expected(connection, offset + at, received.length - at)
    if (received.compare(right, 0, right.length, at, at + right.length) !== 0) {
      let index = 0
      while (received[at + index] === right[index]) index++
      return at + index
    }
    at += right.length
  }
  return -1
}

/** How an echo was wrong. Plain data: it crosses threads. */
export interface WrongBytes {
  connection: number
  /** Offset in that connection's stream of the first wrong byte. */
  offset: number
  /** Up to 32 bytes from that offset on. */
  expected: Uint8Array
  received: Uint8Array
}
