/** The web server: checks access, finds the route, and answers. */
import { once } from 'node:events'
import { createServer, ServerResponse, STATUS_CODES } from 'node:http'
import type { IncomingMessage, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { HostAddress } from '../vocabulary/address.ts'
import { explain } from '../engines/failures.ts'
import type { Asset } from './assets.ts'
import type { Access } from './access.ts'
import { explainRefusal, Refused } from './refused.ts'
import type { HandlerReply, Handler } from './handler.ts'

/** The time limit for receiving a whole request. */
const requestTimeoutDefaultMs = 10_000
/** The idle timeout of a connection. */
const stalledMaxMs = 30_000
const headersMaxBytes = 16 * 1024
const connectionsMax = 1_000

/** For every answer. The page may load from here and connect to here; no site may frame it. */
const safety = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
}

export interface WebOptions {
  address: HostAddress
  requestTimeoutMs?: number | undefined
}

export interface Handlers {
  access: Pick<Access, 'check' | 'isProbe' | 'linkToken'> & Partial<Pick<Access, 'cookieFor'>>
  routes: ReadonlyMap<string, Handler>
  /** The files of the page; undefined: there is no page. */
  assets?: ReadonlyMap<string, Asset> | undefined
  /** Called for every change that was made. */
  onControl?: ((what: string, from: string) => void) | undefined
  /** Called for an unexpected error; serving goes on. */
  onDefect: (error: unknown) => void
  /** Handles an upgrade to WebSocket; without it an offer to upgrade is ignored. */
  upgrade?: OnUpgrade | undefined
}

type OnUpgrade = (
  request: IncomingMessage,
  stream: Duplex,
  head: Buffer,
  query: URLSearchParams,
) => void

/**
 * Listens, but does not answer yet: what to answer with depends on the port.
 * @param flag the option with the address, named in the error
 */
export async function listenForWeb({ address, requestTimeoutMs }: WebOptions, flag: string) {
  const timeoutMs = requestTimeoutMs ?? requestTimeoutDefaultMs
  const server = createServer({
    requestTimeout: timeoutMs,
    headersTimeout: timeoutMs,
    connectionsCheckingInterval: Math.min(1_000, timeoutMs),
    maxHeaderSize: headersMaxBytes,
    keepAliveTimeout: 5_000,
  })
  server.maxConnections = connectionsMax
  // Closes a client that does not read its answer. (An open page gets events every second.)
  server.timeout = stalledMaxMs
  try {
    server.listen({ host: address.host, port: address.port, exclusive: true })
    await once(server, 'listening')
  } catch (error) {
    throw explain('listen on', address, error, flag)
  }
  const { port } = server.address() as AddressInfo
  return { server, address: { ...address, port } }
}

export function answerWith(server: Server, handlers: Handlers): void {
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    // The request came before the last answer was read (pipelining, RFC 9112, 9.3.2). It is
    // refused: browsers do not do that, and the answers to hundreds of small requests would wait in
    // memory.
    if (!response.socket) request.socket.destroy()
    else void answer(handlers, request, response)
  })
  const { upgrade } = handlers
  if (upgrade)
    server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
      stream.on('error', () => {})
      void answerUpgrade({ ...handlers, upgrade }, request, stream, head)
    })
}

async function answerUpgrade(
  { access, routes, upgrade, onDefect }: Handlers & { upgrade: OnUpgrade },
  request: IncomingMessage,
  stream: Duplex,
  head: Buffer,
) {
  try {
    const { path, query } = parse(request)
    access.check(request, path)
    if (path === '/api/console') return upgrade(request, stream, head, query)
    // Clients in Java offer HTTP/2 with each request, and take an answer without it as well.
    const probe = access.isProbe(request, path) && routes.get(`GET ${path}`)
    if (!probe) throw new Refused(404, 'There is no WebSocket here.')
    const response = new ServerResponse(request)
    const { status = 200, body, type = '' } = (await probe({ request, response, query, id: '' }))!
    writeRaw(stream, status, type, request.method === 'HEAD' ? '' : String(body))
  } catch (error) {
    const refusal = explainRefusal(error) ?? defect
    if (refusal === defect) onDefect(error)
    writeRaw(stream, refusal.status, 'application/json', JSON.stringify(refusal.body))
  }
}

/**
 * Writes an answer to a socket, and destroys it soon after: node:http has no timeout for it any
 * more, so a client that does not close would stay for ever.
 */
function writeRaw(stream: Duplex, status: number, type: string, body: string) {
  const answer =
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\n` +
    `Date: ${new Date().toUTCString()}\r\nConnection: close\r\n` +
    `Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
    `Cache-Control: no-store\r\n\r\n${body}`
  stream.end(answer, () => stream.destroy())
}

/** The URL of the server, for a browser. */
export function urlOf({ host, port }: HostAddress): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}/`
}

/** Closes every connection. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise(resolve => server.close(resolve))
  server.closeAllConnections()
  await closed
}

/** Paths are compared as they are, without decoding or resolving dots. */
function parse({ url = '' }: IncomingMessage) {
  const [path, query = ''] = url.split(/\?(.*)/s) as [string, string?]
  return { path, query: new URLSearchParams(query) }
}

const defect = { status: 500, body: { error: 'This is a defect of yodel.', hint: 'Report it.' } }

async function answer(handlers: Handlers, request: IncomingMessage, response: ServerResponse) {
  try {
    const reply = await find(handlers, request, response)
    if (reply) send(response, reply)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      handlers.onControl?.(`${request.method} ${request.url}`, request.socket.remoteAddress ?? '')
  } catch (error) {
    // A client that has left gets no answer; node:http answers a client that is too slow.
    if (response.headersSent || response.destroyed || request.errored) return
    const refusal = explainRefusal(error)
    if (!refusal) handlers.onDefect(error)
    const headers = error instanceof Refused ? error.headers : {}
    send(response, { ...(refusal ?? defect), headers })
  }
}

async function find(
  { access, routes, assets }: Handlers,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<HandlerReply | undefined> {
  for (const [name, value] of Object.entries(safety)) response.setHeader(name, value)
  const { path, query } = parse(request)
  access.check(request, path)
  const method = request.method === 'HEAD' ? 'GET' : request.method!
  const token = access.linkToken(request.url!)
  if (method === 'GET' && token !== undefined) {
    // Redirects, so that the token leaves the address bar and the history.
    const headers = { Location: '/', 'Set-Cookie': access.cookieFor!(token) }
    return { status: 303, body: '', type: 'text/plain', headers }
  }
  const asset = method === 'GET' ? assets?.get(path) : undefined
  if (asset) {
    const lasting = { 'Cache-Control': 'private, max-age=31536000, immutable' }
    return { body: asset.body, type: asset.type, headers: asset.lasting ? lasting : {} }
  }
  if (method === 'GET' && path === '/' && assets) return notBuilt
  const named = /^(\/api\/\w+\/)([^/]+)(\/\w+)?$/.exec(path)
  const places = [path, ...(named ? [`${named[1]}:id${named[3] ?? ''}`] : [])]
  for (const place of places) {
    const route = routes.get(`${method} ${place}`)
    if (route) return route({ request, response, query, id: named?.[2] ?? '' })
  }
  const methods = [...routes.keys()]
    .map(key => key.split(' ') as [string, string])
    .filter(([, place]) => places.includes(place))
    .map(([method]) => method)
  if (methods.length === 0) throw new Refused(404, 'There is nothing here.', 'See docs/control.md.')
  const allow = methods.join(', ')
  throw new Refused(405, `This takes ${allow}.`, '', { Allow: allow })
}

const notBuilt: HandlerReply = {
  status: 503,
  body: 'The page is not built: run `npm run build`. The API is there: see docs/control.md.\n',
  type: 'text/plain; charset=utf-8',
}

function send(response: ServerResponse, { status = 200, body, type, headers = {} }: HandlerReply) {
  const isText = typeof body === 'string' || Buffer.isBuffer(body)
  const data = isText && type !== undefined ? body : JSON.stringify(body)
  response.writeHead(status, {
    'Content-Type': type ?? 'application/json',
    'Content-Length': Buffer.byteLength(data),
    'Cache-Control': 'no-store',
    ...headers,
  })
  response.end(data)
}
