/** What a request looked like when it arrived, as JSON: for GET, and whatever else has no body. */
import type { TLSSocket } from 'node:tls'
import { targetOf, type Request } from './exchange.ts'
import type { HttpConnection } from './connection.ts'

/**
 * The answer to HEAD is as long as that to GET, since nobody sees it (RFC 9110 section 9.3.2).
 * Only what the client has sent, and how: nothing of this machine, its environment, its files.
 */
export function describe(request: Request, connection: HttpConnection): Buffer {
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

const describeTls = (socket: TLSSocket) => ({
  protocol: socket.getProtocol(),
  cipher: socket.getCipher().name,
  alpn: socket.alpnProtocol || null,
  sni: (socket as { servername?: string | false }).servername || null,
})

function pairs(list: readonly string[]): [string, string][] {
  const result: [string, string][] = []
  for (let at = 0; at < list.length; at += 2) result.push([list[at]!, list[at + 1]!])
  return result
}

/** HTTP/2 has the method among its headers. */
const ofGet = ([name, value]: [string, string]): [string, string] =>
  name === ':method' && value === 'HEAD' ? [name, 'GET'] : [name, value]

const text = String.raw`"(?:[^"\\]|\\.)*"`
const pair = new RegExp(String.raw`\[\n\s+(${text}),\n\s+(${text})\n\s+\]`, 'g')
/** A pair on each line, not four lines for each. */
const inLines = (json: string): string => json.replace(pair, '[$1, $2]')

/** Nobody who takes it for HTML or for a script finds anything in it. */
const harmless = (json: string): string =>
  json.replace(
    /[<>&\u2028\u2029]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
