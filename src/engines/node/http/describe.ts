/** Describes a request as JSON: the answer to GET, and to other requests without a body. */
import type { TLSSocket } from 'node:tls'
import { plain } from '../../../wire/tls/certificate.ts'
import { targetOf, type Request } from './exchange.ts'
import type { HttpConnection } from './connection.ts'

/**
 * It contains what the client sent, and nothing of this machine, its environment or its files. The
 * answer to HEAD describes a GET, so that both have the same length (RFC 9110 section 9.3.2).
 */
export function describeRequest(request: Request, connection: HttpConnection): Buffer {
  const { socket, accepted } = connection
  const { path, query } = targetOf(request)
  const raw = accepted?.raw ?? socket
  const description = {
    method: request.method === 'HEAD' ? 'GET' : request.method,
    url: request.url,
    path,
    query,
    httpVersion: request.httpVersion,
    headers: pairs(request.rawHeaders).map(ofGet),
    peer: { address: raw.remoteAddress, port: raw.remotePort },
    tls: 'encrypted' in socket ? describeTls(socket as TLSSocket) : null,
    proxy: accepted?.forwarded ?? null,
  }
  return Buffer.from(`${harmless(inLines(JSON.stringify(description, null, 2)))}\n`)
}

/** The fingerprint of our own certificate: the client may have seen the certificate of a proxy. */
function fingerprintOf(socket: TLSSocket): string | null {
  const own = socket.getCertificate()
  return own && 'fingerprint256' in own ? plain(own.fingerprint256) : null
}

const describeTls = (socket: TLSSocket) => ({
  protocol: socket.getProtocol(),
  cipher: socket.getCipher().name,
  alpn: socket.alpnProtocol || null,
  fingerprint: fingerprintOf(socket),
  sni: (socket as { servername?: string | false }).servername || null,
})

function pairs(list: readonly string[]): [string, string][] {
  const result: [string, string][] = []
  for (let at = 0; at < list.length; at += 2) result.push([list[at]!, list[at + 1]!])
  return result
}

/** Replaces HEAD by GET among the headers, too, where HTTP/2 has the method. */
const ofGet = ([name, value]: [string, string]): [string, string] =>
  name === ':method' && value === 'HEAD' ? [name, 'GET'] : [name, value]

const text = String.raw`"(?:[^"\\]|\\.)*"`
const pair = new RegExp(String.raw`\[\n\s+(${text}),\n\s+(${text})\n\s+\]`, 'g')
/** Puts each pair on one line instead of four. */
const inLines = (json: string): string => json.replace(pair, '[$1, $2]')

/**
 * Escapes characters that have a meaning in HTML or a script, in case a reader interprets the text
 * as HTML.
 */
const harmless = (json: string): string =>
  json.replace(
    /[<>&\u2028\u2029]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
