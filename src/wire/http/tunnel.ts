/** Asks a proxy for a tunnel: CONNECT of RFC 9110 section 9.3.6. */
import { printable } from '../../vocabulary/text.ts'
import { parseHead } from './answer-head.ts'

/** An answer that is longer is none. */
const headMaxBytes = 16_384
const headEnd = '\r\n\r\n'

/** @param target `host:port`, IPv6 in brackets */
export function connectRequest(target: string, credentials: string | undefined): string {
  const lines = [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`]
  if (credentials !== undefined)
    lines.push(`Proxy-Authorization: Basic ${Buffer.from(credentials).toString('base64')}`)
  return `${lines.join('\r\n')}${headEnd}`
}

/** What a proxy has said: how long its head is, or why there is no way. */
export type TunnelAnswer = { headBytes: number } | { refusedBecause: string }

/**
 * What follows the head of an answer of 2xx comes from the server.
 * @param ended no more will come
 * @returns undefined while more is needed
 */
export function readTunnelAnswer(bytes: Buffer, ended: boolean): TunnelAnswer | undefined {
  const at = bytes.subarray(0, headMaxBytes).indexOf(headEnd)
  if (at === -1) {
    if (bytes.length >= headMaxBytes) return { refusedBecause: 'its answer has no end' }
    if (!ended) return undefined
    const said = bytes.length === 0 ? 'closed the connection' : 'did not answer in HTTP'
    return { refusedBecause: `it ${said}` }
  }
  try {
    const { status, reason } = parseHead(bytes.toString('latin1', 0, at))
    if (status >= 200 && status < 300) return { headBytes: at + headEnd.length }
    return { refusedBecause: `it says ${printable(`${status} ${reason}`.trimEnd())}` }
  } catch (error) {
    return { refusedBecause: (error as Error).message }
  }
}
