/** What a fault is: a transformation of the stream of chunks that one connection echoes. */

/** Bytes, and when they reached us: a delay counts from arrival, so it is never a speed limit. */
export interface Chunk {
  data: Uint8Array
  /**
   * On the clock of performance.now(). A fault that holds a chunk passes it on with the time at
   * which it was due to leave, so that the next fault counts from there.
   */
  at: number
}

/**
 * May pass chunks on, hold them, change them, end early (the client sees FIN), or throw Reset (it
 * sees RST). Whatever it remembers of a connection is a local variable.
 */
export type Fault = (chunks: AsyncIterable<Chunk>) => AsyncIterable<Chunk>

/** What a fault may use; made for one connection and one place in the chain. */
export interface Tools {
  /** When the connection began to be served. */
  readonly openedAt: number
  /**
   * Waits until then, or until the faults are changed. With Infinity also until the server leaves.
   * Throws Gone when there is nobody left to wait for, so that no waiting outlives its connection.
   */
  readonly sleepUntil: (at: number) => Promise<void>
  /** From 0 to below 1; the same sequence for the same seed, connection and place. */
  readonly random: () => number
  /** The same as to throw Reset, for what cannot wait until somebody asks for the next chunk. */
  readonly reset: () => void
  /** Counts something that was done to the client. */
  readonly hit: () => void
}

/** The connection ends with RST. */
export class Reset extends Error {}

/** There is nobody left to wait for. */
export class Gone extends Error {}

/** What all faults can be told. */
export interface Share {
  /** The part of the connections that it hits; all of them if it is not given. */
  percent?: number | undefined
}

/** A kind of fault: how it is written, checked and made. */
export interface Kind<Spec> {
  /** Ends a sentence that begins with `Write for example`. */
  readonly example: string
  /** What stands after `=`; the kind alone is parsed as '' where that means something. */
  parse(text: string): Spec
  /** What is wrong with its numbers, as a sentence. */
  mistake(spec: Spec): string | undefined
  create(spec: Spec, tools: Tools): Fault
}

/** The first bytes of a stream. Returns whether there were so many. */
export async function* first(
  chunks: AsyncIterable<Chunk>,
  bytes: number,
): AsyncGenerator<Chunk, boolean> {
  let left = bytes
  if (left === 0) return true
  for await (const { data, at } of chunks) {
    yield { data: data.subarray(0, left), at }
    left -= Math.min(left, data.length)
    if (left === 0) return true
  }
  return false
}

export const isNumber = (value: unknown, from: number, to = Number.MAX_SAFE_INTEGER): boolean =>
  typeof value === 'number' && value >= from && value <= to

export const isCount = (value: unknown, from: number): boolean =>
  isNumber(value, from) && Number.isInteger(value)
