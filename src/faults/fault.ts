/** What a fault is: a transformation of the stream of chunks that one connection echoes. */
import type { Carries } from '../vocabulary/transport.ts'

/** Bytes, and when they arrived: a delay counts from the arrival, so it does not limit the rate. */
export interface Chunk {
  data: Uint8Array
  /**
   * On the clock of performance.now(). A fault that holds a chunk passes it on with the time at
   * which it was due to leave, so that the next fault counts from there.
   */
  at: number
  /** On a transport with messages: the message; all its chunks have the same object. */
  message?: MessageType | undefined
  /** The message goes on in the next chunk; undefined: this chunk ends it. */
  more?: boolean | undefined
}

/** What a transport needs to send the message on; faults do not read it. */
export interface MessageType {
  /** WebSocket: whether it is text or binary (RFC 6455 section 5.6). */
  binary?: boolean
}

/**
 * What a fault did, and where. The same for the same seed and the same input, so there is no time
 * in it. Offsets and numbers count what this fault was given since it came into force, from 0.
 */
export interface Hit {
  /** The byte at which it happened, and how many are concerned. */
  offset?: number
  bytes?: number
  /** The number of the message. */
  message?: number
  /** Which bit of the byte was flipped: 0 is the lowest. */
  bit?: number
  /** Milliseconds: how long a delay lasts, or after how long a reset came. */
  ms?: number
}

/**
 * May pass chunks on, delay them, change them, end early (the client sees FIN), or throw Reset (the
 * client sees RST). Its memory of a connection is in local variables.
 */
export type Fault = (chunks: AsyncIterable<Chunk>) => AsyncIterable<Chunk>

/** The tools of a fault; made for one connection and one place in the chain. */
export interface Tools {
  /** When the connection began to be served. */
  readonly openedAt: number
  /** What chunks are; a datagram is never cut. */
  readonly carries: Carries
  /**
   * Waits until an instant, or until the faults are changed. With Infinity also until the server
   * leaves. Throws ConnectionEnded when the connection has ended, so that no wait outlives its
   * connection.
   */
  readonly sleepUntil: (at: number) => Promise<void>
  /** From 0 to below 1; the same sequence for the same seed, connection and place. */
  readonly random: () => number
  /** Like throwing Reset, for a fault that cannot wait for the next chunk. */
  readonly reset: (hit: Hit) => void
  /** Counts a hit, and records it where that is wanted. */
  readonly hit: (hit: Hit) => void
}

/** The connection ends with RST. */
export class Reset extends Error {}

/** The connection has ended: there is nothing left to wait for. */
export class ConnectionEnded extends Error {}

/** What every fault can have. */
export interface Share {
  /** The part of the connections that it hits; all of them if it is not given. */
  percent?: number | undefined
}

/** A kind of fault: how it is written, checked and made. */
export interface FaultDefinition<Spec extends { kind: string }> {
  readonly kind: Spec['kind']
  /** What it does, for a list of kinds. */
  readonly meaning: string
  /** A value that a form suggests behind the `=`; '' if the kind needs no value. */
  readonly sample: string
  /** Ends a sentence that begins with `Write for example`. */
  readonly example: string
  /** On which transports it makes sense. */
  readonly carries: readonly Carries[]
  /**
   * Whether more can come back than was sent. Then it works for datagrams on the loopback only: a
   * forged source would have the server flood another machine.
   */
  readonly amplifies: boolean
  /** Reads what stands after `=`: '' for the kind without a value, if that has a meaning. */
  parse(text: string): Spec
  /** The inverse of parse; '' for the kind without a value. */
  format(spec: Spec): string
  /** What is wrong with its numbers, as a sentence. */
  mistake(spec: Spec): string | undefined
  create(spec: Spec, tools: Tools): Fault
}

/** Transports with connections. */
export const connections: readonly Carries[] = ['bytes', 'messages']
export const everywhere: readonly Carries[] = [...connections, 'datagrams']
/** Transports with messages. */
export const messages: readonly Carries[] = ['messages', 'datagrams']

/** A part of a chunk: a message ends with its last one. */
export const part = (chunk: Chunk, from: number, to: number, at = chunk.at): Chunk => ({
  ...chunk,
  data: chunk.data.subarray(from, to),
  at,
  more: chunk.message && (chunk.more || to < chunk.data.length),
})

/** The first bytes of a stream. Returns whether the stream was long enough. */
export async function* first(
  chunks: AsyncIterable<Chunk>,
  bytes: number,
): AsyncGenerator<Chunk, boolean> {
  let left = bytes
  if (left === 0) return true
  for await (const chunk of chunks) {
    yield part(chunk, 0, left)
    left -= Math.min(left, chunk.data.length)
    if (left === 0) return true
  }
  return false
}

export const isNumberWithin = (
  value: unknown,
  from: number,
  to = Number.MAX_SAFE_INTEGER,
): boolean => typeof value === 'number' && value >= from && value <= to

export const isCount = (value: unknown, from: number): boolean =>
  isNumberWithin(value, from) && Number.isInteger(value)
