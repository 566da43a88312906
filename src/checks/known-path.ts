/** What is known of a path so far, and the messages that this allows. */
import type { ProbeConnection } from './probe.ts'

/** What the first look and earlier questions have found out. */
export interface KnownPath {
  /** Bytes that the other side sends before it is sent anything. */
  greetingBytes: number
  /** What was sent last on whatever connection, small pieces only. */
  sent: Buffer
  /** The server echoes whole lines only. */
  byLine: boolean
  /** Something comes back. */
  echoes: boolean
  /** All that comes back is what was sent. */
  exact: boolean
  /** A round trip, in milliseconds. */
  rttMs: number
  /** What the kernel knew about the path before anything large was sent. */
  pathMtuBytes?: number | undefined
  /** Why the transport cannot be spoken, although something answers; undefined if it can. */
  refusal?: string
  /** The certificate is not trusted; everything else is still asked. */
  untrusted?: true
  /** The fingerprint of --pin, if the certificate has another one. */
  pin?: string | undefined
  /** The fingerprint of the certificate that the other end says it has. */
  fingerprint?: string | undefined
  /** The other end keeps traces of connections. */
  paired?: true
  /** How many connections were served at once; undefined before that was asked. */
  atOnce?: number
}

export const nothingKnown = (): KnownPath => ({
  greetingBytes: 0,
  sent: Buffer.alloc(0),
  byLine: false,
  echoes: true,
  exact: true,
  rttMs: 0,
})

/**
 * Whether as many bytes as were sent have come; if the path does not change bytes, they must also
 * be the same.
 */
export const isEchoOf = (sent: Buffer, probe: ProbeConnection, { exact }: KnownPath): boolean =>
  probe.receivedBytes >= sent.length && (!exact || probe.received.equals(sent))

/** A message of printable bytes; it ends a line if nothing comes back before a line is whole. */
export function message(known: KnownPath, bytes: number): Buffer {
  const text = Buffer.alloc(bytes, 'the quick brown fox jumps over the lazy dog, 0123456789; ')
  if (known.byLine && bytes > 0) text[bytes - 1] = 10
  return text
}
