/** How many bytes of a stream the system has not accepted yet. */
import type { Duplex } from 'node:stream'

/** A stream that keeps unsent bytes in a place of its own, and counts them. */
export interface Keeping {
  readonly unsentBytes: number
}

/**
 * The private parts of a socket: libuv has one write at a time, and knows how much of it the system
 * has accepted.
 */
interface Internals {
  _handle?: { writeQueueSize?: number } | null
  _writableState?: { writelen?: number }
}

export function unsentBytes(stream: Duplex): number {
  const kept = (stream as Partial<Keeping>).unsentBytes
  if (kept !== undefined) return kept
  const { writableLength } = stream
  if (writableLength === 0) return 0
  const { _handle: handle, _writableState: state } = stream as Internals
  const [queued, writing] = [handle?.writeQueueSize, state?.writelen]
  // With TLS the waiting bytes are encrypted.
  if ('encrypted' in stream || queued === undefined || writing === undefined) return writableLength
  return Math.max(0, writableLength - Math.max(0, writing - queued))
}
