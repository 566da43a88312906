/** A request and its answer: what Node's HTTP/1.1 and HTTP/2 have in common. */
import { STATUS_CODES, type IncomingHttpHeaders } from 'node:http'
import type { Readable, Writable } from 'node:stream'

export interface Request extends Readable {
  method?: string | undefined
  url?: string | undefined
  readonly httpVersion: string
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, as they came. */
  readonly rawHeaders: string[]
  /** The names and values of the trailer, once the body has come. */
  readonly rawTrailers?: string[]
  /** Whether the whole request has been parsed. */
  readonly complete?: boolean
}

export interface Response extends Writable {
  statusCode: number
  readonly headersSent: boolean
  setHeader(name: string, value: string | number): unknown
  flushHeaders(): void
  addTrailers(trailers: Record<string, string | string[]>): void
  /** Only with HTTP/2. */
  readonly stream?: { readonly closed: boolean; close(code: number): void }
}

/**
 * Headers of every answer: no body that is sent back becomes a page that may run scripts. An echoed
 * body keeps the type that its sender gave, which may be text/html.
 */
const safeHeaders: readonly [string, string][] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Content-Security-Policy', "default-src 'none'; sandbox"],
  ['Cache-Control', 'no-store'],
]

export function setSafeHeaders(response: Response): void {
  for (const [name, value] of safeHeaders) response.setHeader(name, value)
}

/** Refuses with a status and a sentence. */
export function decline(response: Response, status: number, why: string): void {
  const body = Buffer.from(`${why}\n`)
  response.statusCode = status
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.setHeader('Content-Length', body.length)
  response.end(body)
}

/** The bytes of a refusal in HTTP/1.1, if there is no request object yet. */
export const rawDecline = (status: number, why: string, ...more: [string, string][]): string =>
  [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(why) + 1}`,
    ...[...safeHeaders, ...more].map(([name, value]) => `${name}: ${value}`),
    '',
    `${why}\n`,
  ].join('\r\n')

/** Path and query of a request; a proxy may send a whole URL (RFC 9112 section 3.2.2). */
export function targetOf({ url = '/' }: Request): { path: string; query: [string, string][] } {
  const local = url.replace(/^https?:\/\/[^/?#]*/i, '')
  const mark = local.indexOf('?')
  const path = mark === -1 ? local : local.slice(0, mark)
  const query = mark === -1 ? [] : [...new URLSearchParams(local.slice(mark + 1))]
  return { path: path || '/', query }
}
