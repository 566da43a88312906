/** Compares what a server claims with what this end has done: the server may be anything. */
import type { Report } from '../../../wire/direction/trace.ts'

/**
 * Why a report cannot be true; undefined if it can.
 * @param sentBytes the most that can have left this end
 */
export function whyNoReport(
  report: Report,
  before: Report | undefined,
  sentBytes: number,
): string | undefined {
  const { bytes } = report
  if (bytes > sentBytes)
    return `the server says that it received ${bytes} bytes, but only ${sentBytes} were sent`
  if (before && bytes < before.bytes)
    return `the server says that it received ${bytes} bytes, and before ${before.bytes}`
  return undefined
}

/** Why the number of bytes that the server says it sent cannot be true. */
export const whyNoSum = (said: number, received: number, what = 'bytes'): string | undefined =>
  received > said ? `the server says that it sent ${said} ${what}, but ${received} came` : undefined

/** What a server of datagrams says that it sent. */
export interface Sums {
  sentBytes: number
  /** All datagrams, and those without the warm-up. */
  datagrams: number
  measured: number
  skipped: number
  lateUs: number
  /** Whether the server stopped early because it had not heard from the client. */
  stopped: boolean
}

/** Reads the sums in an answer; undefined if they make no sense. */
export function sumsOf(body: Record<string, unknown>): Sums | undefined {
  const counts = ['sentBytes', 'datagrams', 'measured', 'skipped'].map(name => body[name] ?? 0)
  const isCounts = counts.every(count => Number.isSafeInteger(count) && (count as number) >= 0)
  const { lateUs } = body
  if (!isCounts || typeof lateUs !== 'number' || !Number.isFinite(lateUs)) return undefined
  const [sentBytes, datagrams, measured, skipped] = counts as [number, number, number, number]
  return { sentBytes, datagrams, measured, skipped, lateUs, stopped: body['stopped'] === true }
}

/** The server begins and ends a little later; more than that makes a difference. */
const shortMaxMs = 1_000

/** Why the server sent less than was to be measured; undefined if it did not. */
export function whyShort(
  { datagrams, skipped, stopped }: Sums,
  ratePerSecond: number,
  awaitedMs: number,
): string | undefined {
  if (stopped)
    return (
      'the server stopped sending, since it had heard nothing from this end for a second: ' +
      'that was lost on the way up'
    )
  const due = Math.floor((ratePerSecond * (awaitedMs - shortMaxMs)) / 1e3)
  return datagrams + skipped < due
    ? `the server sent only ${datagrams} datagrams, and more than ${due} were due`
    : undefined
}

/** By how much the timers of both ends may be early. */
const earlyMs = 5

/** Whether a server that knows how long to send ended before that time was over. */
export const endsBefore = (askedMs: number, lastsMs: number): boolean =>
  performance.now() - askedMs < lastsMs - earlyMs
