/** What is known of the first wrong bytes, and of what other connections had in flight. */
import { copyOf, type Payload } from './payload.ts'

export const causes = [
  /** A few bits differ, and the stream goes on in step. */
  'corrupted',
  /** Bytes were left out: those that came are from further on in the stream. */
  'missing',
  /** Bytes came a second time. */
  'duplicated',
  /** Two pieces of the stream changed places. */
  'swapped',
  /** Bytes of no stream were put in; after them the stream goes on. */
  'shifted',
  /** Bytes of another connection came. */
  'foreign',
  /** A message has the right bytes, and more or fewer of them than it should. */
  'bounds',
  /** The connection ended within a message, or with messages unanswered. */
  'truncated',
  /** An HTTP server answered with an error status. */
  'status',
  /** None of the causes above. */
  'unknown',
] as const
export type Cause = (typeof causes)[number]

/** What a connection has in flight: from `receivedBytes` to `issuedBytes` of its stream. */
export interface InFlight {
  connection: number
  receivedBytes: number
  issuedBytes: number
}

/** How an echo was wrong. Plain data: it crosses threads. */
export interface WrongBytes {
  connection: number
  /** Offset in that connection's stream of the first wrong byte. */
  offset: number
  /** Up to 32 bytes from that offset on; nothing received where the stream ended too early. */
  expected: Uint8Array
  received: Uint8Array
  /** Up to 16 right bytes before them. */
  before: Uint8Array
  cause: Cause
  detail: string
}

/** How many bytes of a wrong answer are shown, and of the right ones before it. */
const shownBytes = 32
const beforeBytes = 16

/** Describes the bytes that are wrong from an offset on, together with the right ones. */
export function wrongAt(
  payload: Payload,
  connection: number,
  offset: number,
  received: Uint8Array,
  diagnosis: Pick<WrongBytes, 'cause' | 'detail'>,
): WrongBytes {
  const before = Math.min(beforeBytes, offset)
  return {
    connection,
    offset,
    expected: copyOf(payload, connection, offset, shownBytes),
    received: Uint8Array.from(received.subarray(0, shownBytes)),
    before: copyOf(payload, connection, offset - before, before),
    ...diagnosis,
  }
}
