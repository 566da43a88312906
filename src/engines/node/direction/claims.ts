/** Compares what a server claims with what this end has done: the server may be anything. */
import type { Report } from '../../../wire/direction/trace.ts'

/** Why a report cannot be. @param sentBytes the most that can have left this end */
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

/** Why the sum of what the server sent cannot be. */
export const whyNoSum = (saidBytes: number, receivedBytes: number): string | undefined =>
  receivedBytes > saidBytes
    ? `the server says that it sent ${saidBytes} bytes, but ${receivedBytes} came`
    : undefined

/** Timers of both ends may be early by that much. */
const earlyMs = 5

/** Whether a server that knows how long to send ended before that time was over. */
export const endsBefore = (askedMs: number, lastsMs: number): boolean =>
  performance.now() - askedMs < lastsMs - earlyMs
