/** Asks a proxy for a tunnel: CONNECT of RFC 9110 section 9.3.6. */
import { printable } from '../../vocabulary/text.ts'
import { isInterim, parseHead } from './answer-head.ts'

/** The longest head of an answer; a longer one is refused. */
const headMaxBytes = 16_384
const headEnd = '\r\n\r\n'

/** @param target `host:port`, IPv6 in brackets */
export function connectRequest(target: string, credentials: string | undefined): string {
  const lines = [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`]
  if (credentials !== undefined)
    lines.push(`Proxy-Authorization: Basic ${Buffer.from(credentials).toString('base64')}`)
  return `${lines.join('\r\n')}${headEnd}`
}

/** The answer of a proxy: the length of its head, or why it refuses. */
export type TunnelAnswer = { headBytes: number } | { refusedBecause: string }

/**
 * Reads the answer of a proxy. With a status of 2xx the bytes after the head come from the server.
 * @param ended whether no more bytes will come
 * @returns undefined while more bytes are needed
 */
export function readTunnelAnswer(bytes: Buffer, ended: boolean): TunnelAnswer | undefined {
  try {
    for (let from = 0; ;) {
      const at = bytes.subarray(0, headMaxBytes).indexOf(headEnd, from)
      if (at === -1) return incomplete(bytes.length, ended)
      const { status, reason } = parseHead(bytes.toString('latin1', from, at))
      from = at + headEnd.length
      if (status >= 200 && status < 300) return { headBytes: from }
      const said = printable(`${status} ${reason}`.trimEnd())
      if (!isInterim(status)) return { refusedBecause: `it says ${said}` }
    }
  } catch (error) {
    return { refusedBecause: (error as Error).message }
  }
}

function incomplete(length: number, ended: boolean): TunnelAnswer | undefined {
  if (length >= headMaxBytes) return { refusedBecause: 'its answer has no end' }
  if (!ended) return undefined
  const said = length === 0 ? 'closed the connection' : 'did not answer in HTTP'
  return { refusedBecause: `it ${said}` }
}
