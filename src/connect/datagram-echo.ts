/** The echo of one datagram: it may be lost, and other datagrams may come instead. */
import type { Duplex } from 'node:stream'
import type { Address } from '../vocabulary/address.ts'
import { explain } from '../engines/failures.ts'

/** How long an answer may take before it counts as lost, by default. */
export const answerTimeoutMs = 1_000

/**
 * Sends a datagram, and waits until it comes back. Other datagrams that come meanwhile are skipped:
 * each may be the late answer to an earlier one.
 * @throws Error if it does not come back in time, or if the other machine reports that no process
 * listens there
 */
export async function echoDatagram(
  stream: Duplex,
  address: Address,
  sent: Buffer,
  timeoutMs: number,
): Promise<Buffer> {
  const untilMs = performance.now() + timeoutMs
  const problem = new AbortController()
  const fail = (error: Error) => problem.abort(explain('connect to', address, error))
  stream.on('unreachable', fail).on('error', fail)
  let others = 0
  try {
    stream.write(sent)
    for (;;) {
      const came = stream.read() as Buffer | null
      if (came?.equals(sent)) return came
      if (came) others++
      else if (stream.destroyed) throw new Error('the link is closed')
      else if (!(await readable(stream, untilMs - performance.now(), problem.signal))) break
    }
    const what = others > 0 ? 'only other datagrams came back' : 'nothing came back'
    throw new Error(`${what} within ${timeoutMs} ms`)
  } finally {
    stream.off('unreachable', fail).off('error', fail)
  }
}

/** Resolves with true when a datagram may be read, or with false when the time is over. */
function readable(stream: Duplex, ms: number, problem: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void) => {
      clearTimeout(timer)
      stream.off('readable', come).off('close', come)
      problem.removeEventListener('abort', fail)
      end()
    }
    const come = () => settle(() => resolve(true))
    const fail = () => settle(() => reject(problem.reason as Error))
    const timer = setTimeout(() => settle(() => resolve(false)), Math.max(0, ms))
    stream.on('readable', come).on('close', come)
    problem.addEventListener('abort', fail)
    if (problem.aborted) fail()
  })
}
