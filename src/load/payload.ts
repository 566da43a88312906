/**
 * What a load sends is a function of connection and offset. So nothing that was sent has to be kept
 * to know what must come back.
 */
import { mix } from '../vocabulary/random.ts'

export type PayloadSpec =
  /** The same message for ever. */
  | { kind: 'repeat'; message: Uint8Array }
  /** Pseudo-random bytes that differ by connection and offset. */
  | { kind: 'seeded'; seed: number; tableBytes?: number }

/**
 * All streams are made of slices of one table. Where they begin and how long they are is known
 * without making an object, which matters at a million messages per second.
 */
export interface Payload {
  readonly table: Buffer
  /** If all streams are the same: after how many bytes they repeat. Infinity if they differ. */
  readonly periodBytes: number
  /** Where in the table a connection's stream stands at an offset. */
  at(connection: number, offset: number): number
  /** How many bytes from there on lie in one piece; at least one. */
  pieceBytes(offset: number): number
}

/** Allocates the memory of a table. */
export type Allocate = (sizeBytes: number) => Buffer

export const createPayload = (
  spec: PayloadSpec,
  allocate: Allocate = size => Buffer.alloc(size),
): Payload => (spec.kind === 'repeat' ? repeat(spec.message, allocate) : seeded(spec, allocate))

/** A table with copies of the message end to end, so that most pieces are one slice of it. */
function repeat(message: Uint8Array, allocate: Allocate): Payload {
  const sizeBytes = message.length
  const copies = Math.max(2, Math.ceil(65_536 / sizeBytes) + 1)
  const table = allocate(sizeBytes * copies).fill(message)
  return {
    table,
    periodBytes: sizeBytes,
    at: (_connection, offset) => offset % sizeBytes,
    pieceBytes: offset => table.length - (offset % sizeBytes),
  }
}

/** A power of two. */
const usualTableBytes = 2 ** 20
const blockBytes = 2 ** 16

/**
 * A table of random bytes, in which every 64 KiB block of every connection starts at a random
 * place. A shift, a repetition or another connection's bytes meet other random bytes, so they are
 * wrong from the first or second byte on; and comparing stays a memcmp.
 */
function seeded(
  { seed, tableBytes = usualTableBytes }: PayloadSpec & { kind: 'seeded' },
  allocate: Allocate,
): Payload {
  const table = allocate(tableBytes + blockBytes)
  let state = seed >>> 0
  for (let at = 0; at < tableBytes; at += 4) {
    state = (state + 0x9e3779b9) >>> 0
    table.writeUInt32LE(mix(state), at)
  }
  table.copy(table, tableBytes, 0, blockBytes)
  return {
    table,
    periodBytes: Infinity,
    at(connection, offset) {
      const block = Math.floor(offset / blockBytes)
      const start = mix(mix(seed ^ connection) ^ block) & (tableBytes - 1)
      return start + offset - block * blockBytes
    },
    pieceBytes: offset => blockBytes - (offset % blockBytes),
  }
}

/**
 * The stream of a connection from an offset on: at least one byte, at most `maxBytes`. Often there
 * are fewer bytes than asked for; then ask again for the rest. The bytes are shared: do not write
 * to them.
 */
export function expected(
  payload: Payload,
  connection: number,
  offset: number,
  maxBytes: number,
): Buffer {
  const at = payload.at(connection, offset)
  return payload.table.subarray(at, at + Math.min(maxBytes, payload.pieceBytes(offset)))
}

/** A copy of exactly this many bytes of the stream, from an offset on. */
export const copyOf = (
  payload: Payload,
  connection: number,
  offset: number,
  bytes: number,
): Buffer => fill(Buffer.alloc(bytes), payload, connection, offset)

/**
 * Like copyOf(), but only for sending: it may share memory with other messages, which is cheaper.
 */
export const messageOf = (
  payload: Payload,
  connection: number,
  offset: number,
  bytes: number,
): Buffer => fill(Buffer.allocUnsafe(bytes), payload, connection, offset)

function fill(copy: Buffer, payload: Payload, connection: number, offset: number): Buffer {
  for (let at = 0; at < copy.length;) {
    const from = payload.at(connection, offset + at)
    const length = Math.min(copy.length - at, payload.pieceBytes(offset + at))
    at += payload.table.copy(copy, at, from, from + length)
  }
  return copy
}

/** Up to this length a loop is faster than a native call. */
export const loopMaxBytes = 128

/** Index of the first of `length` bytes from `from` on that differs from the stream, or -1. */
export function firstWrongByte(
  payload: Payload,
  connection: number,
  offset: number,
  received: Uint8Array,
  from = 0,
  length = received.length,
): number {
  const { table } = payload
  for (let done = 0; done < length;) {
    const at = payload.at(connection, offset + done)
    const piece = Math.min(length - done, payload.pieceBytes(offset + done))
    const start = from + done
    if (
      piece > loopMaxBytes &&
      table.compare(received, start, start + piece, at, at + piece) === 0
    ) {
      done += piece
      continue
    }
    for (let index = 0; index < piece; index++)
      if (received[start + index] !== table[at + index]) return done + index
    done += piece
  }
  return -1
}
