/** Rules of RFC 9110 and RFC 9112 that Node's parsers leave to us. */
import { METHODS } from 'node:http'
import type { Request } from './exchange.ts'

export type HttpRefusal = readonly [status: number, why: string]

export const methods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'
export const echoed: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])
const known: ReadonlySet<string> = new Set(METHODS)
const described: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE'])

/** Headers that a status needs, where a request asks for that status (RFC 9110 section 15). */
export const companions: Readonly<Record<number, readonly [name: string, value: string]>> = {
  401: ['WWW-Authenticate', 'Basic realm="yodel"'],
  405: ['Allow', methods],
  407: ['Proxy-Authenticate', 'Basic realm="yodel"'],
}

/** Request line and headers; longer ones are refused with 431 or 414. */
export const headersMaxBytes = 16 * 1024

const unknownVersion: HttpRefusal = [505, 'In a request line the versions are 1.0 and 1.1.']
const unknownMethod: HttpRefusal = [501, `This echo server knows ${methods}.`]

/**
 * What is wrong with a request that Node's parser accepts: it is not valid, or a proxy may read it
 * differently.
 */
export function faultIn(request: Request, isHttp2: boolean): HttpRefusal | undefined {
  const { httpVersion, headers, method, url = '' } = request
  const coding = headers['transfer-encoding']
  if (httpVersion === '0.9') return [400, 'The versions are 1.0, 1.1 and 2.']
  if (!isHttp2 && !httpVersion.startsWith('1.')) return unknownVersion
  if (httpVersion === '1.0' && coding !== undefined)
    return [400, 'HTTP/1.0 has no Transfer-Encoding (RFC 9112 section 6.1).']
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked')
    return [501, 'The only transfer coding that is known is chunked (RFC 9112 section 6.1).']
  if (hostsOf(request) > 1 || (httpVersion === '1.1' && headers.host === undefined))
    return [400, 'A request has exactly one Host header (RFC 9112 section 3.2).']
  for (const host of [headers.host, headers[':authority'] as string | undefined])
    if (host !== undefined && !authority.test(host))
      return [400, 'A host is a name or an address, and perhaps a port (RFC 9112 section 3.2).']
  if (method === 'CONNECT' || isTarget(url, method)) return undefined
  return [400, 'The target is a path or an http:// URL; * is for OPTIONS (RFC 9112 section 3.2).']
}

/** Why a valid request is refused. */
export function httpRefusalOf({
  method = '',
  headers,
  httpVersion,
}: Request): HttpRefusal | undefined {
  if (!known.has(method)) return unknownMethod
  if (method === 'CONNECT') return [405, 'This is not a proxy.']
  if (!echoed.has(method) && !described.has(method) && method !== 'OPTIONS')
    return [405, `This echo server knows ${methods}.`]
  const { expect } = headers
  // What HTTP/1.0 expects is ignored (RFC 9110 section 10.1.1).
  if (expect === undefined || httpVersion === '1.0' || /\b100-continue\b/i.test(expect))
    return undefined
  return [417, 'The only expectation that is known is 100-continue.']
}

function hostsOf({ rawHeaders }: Request): number {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]!.length === 4 && rawHeaders[at]!.toLowerCase() === 'host') hosts++
  return hosts
}

/** uri-host [":" port] of RFC 3986. A name may be empty; a zone is never sent (RFC 9844). */
const authority = /^(?:\[[\w.:~!$&'()*+,;=-]+\]|(?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})*)(?::\d*)?$/i
const absolute = /^https?:\/\/([^/?]+)/i

function isTarget(url: string, method: string | undefined): boolean {
  if (url.includes('#')) return false
  if (url.startsWith('/')) return true
  if (url === '*') return method === 'OPTIONS'
  const [, host = ':'] = absolute.exec(url) ?? []
  return !host.startsWith(':') && authority.test(host)
}

const token = "[\\w!#$%&'*+.^`|~-]+"
const requestLine = new RegExp(`^${token} [^ ]+ HTTP/\\d\\.\\d\r?$`)
const longTarget = new RegExp(`^${token} [^ ]*$`)

/** An error of the HTTP/1.1 parser. */
export interface ParserError extends Error {
  code?: string
  reason?: string
  rawPacket?: Buffer
  bytesParsed?: number
}

/**
 * A more exact answer than the name of the error allows: the parser has one name for many errors.
 */
export function answerOf(error: ParserError): HttpRefusal | undefined {
  const { code, reason, rawPacket, bytesParsed = 0 } = error
  if (code === 'HPE_INVALID_VERSION' && reason === 'Invalid HTTP version') return unknownVersion
  if (!rawPacket) return undefined
  // If the line came in pieces, its beginning is in an earlier packet.
  const start = bytesParsed === 0 ? 0 : rawPacket.lastIndexOf('\n', bytesParsed - 1) + 1
  const upTo = (end: number) => rawPacket.toString('latin1', start, end)
  if (code === 'HPE_INVALID_METHOD' && requestLine.test(upTo(rawPacket.indexOf('\n', start))))
    return unknownMethod
  if (code !== 'HPE_HEADER_OVERFLOW' || !longTarget.test(upTo(bytesParsed))) return undefined
  return [414, `Request line and headers have ${headersMaxBytes} bytes at most.`]
}
