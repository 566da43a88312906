/** The handshake of WebSocket: an HTTP request that is upgraded (RFC 6455 section 4). */
import { createServer, STATUS_CODES, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { counter, type Meter } from '../../../metrics/meter.ts'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import type { ServeTask } from '../../../task.ts'
import { ProtocolError } from '../../../vocabulary/peer-errors.ts'
import { threadAccounts } from '../../accounts.ts'
import type { Handshake } from '../core/protocol.ts'
import { anyFragments, joinFragments } from './fragments.ts'
import { ServerSocket } from './socket.ts'

/** Request line and headers of an upgrade; browsers send less than a kilobyte. */
const headersMaxBytes = 16 * 1024
/** How long a client whose request was refused may take to read why. */
const lingerMs = 1_000

export interface Upgrade {
  handshake: Handshake
  /** WebSockets that are served, by the stream with which the handshake resolved; paused. */
  opened: WeakMap<Socket, ServerSocket>
}

type Refusal = [status: number, why: string, headers?: Record<string, string>]
const use13 = { 'Sec-WebSocket-Version': '13' }
const noUpgrade: Refusal = [
  426,
  'This is a WebSocket echo server: connect with a WebSocket client, for example `yodel connect`.',
  { Upgrade: 'websocket', ...use13 },
]

/** After a close frame a client has `drainMs` to close the connection, as when the server stops. */
export function createUpgrade({ web, drainMs, ledger }: ServeTask, { counters }: Meter): Upgrade {
  const accounts = ledger && threadAccounts()
  const opened = new WeakMap<Socket, ServerSocket>()
  const refused = new WeakSet<Duplex>()
  const waiting = new WeakMap<Duplex, (ws: ServerSocket, headers: readonly string[]) => void>()
  const upgrades = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    WebSocket: ServerSocket,
    autoPong: false,
    maxPayload: web.messageMaxBytes,
    perMessageDeflate: web.deflate,
    ...anyFragments,
    ...({ closeTimeout: Math.min(Math.max(drainMs, lingerMs), timerMaxMs) } as object),
  })
  /** Parses requests from sockets that were accepted elsewhere; it never listens itself. */
  const http = createServer({ maxHeaderSize: headersMaxBytes })

  function refuse(socket: Duplex, [status, why, headers = {}]: Refusal) {
    counters[counter.upgradesRefused]!++
    refused.add(socket)
    const head = { ...headersOf(why), ...headers }
    const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${why}\n`)
    // With unread input the close would be a reset, and the answer would be lost.
    socket.resume().on('error', () => {})
    const timer = setTimeout(() => socket.destroy(), lingerMs)
    socket.once('close', () => clearTimeout(timer))
  }

  http.on('request', (request, response) => {
    counters[counter.upgradesRefused]!++
    refused.add(request.socket)
    const [status, why, headers] = noUpgrade
    request.resume()
    response.writeHead(status, { ...headersOf(why), ...headers }).end(`${why}\n`)
  })
  http.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // The handshake sees that the client is gone.
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy()
    else if (error.code === 'HPE_HEADER_OVERFLOW')
      refuse(socket, [431, `The headers have more than ${headersMaxBytes} bytes.`])
    else refuse(socket, [400, 'That is not an HTTP request. This is a WebSocket echo server.'])
  })
  http.on('upgrade', (request, socket, head) => {
    const refusal = refusalOf(request, web.origins)
    if (refusal) refuse(socket, refusal)
    else
      upgrades.handleUpgrade(request, socket, head, ws => {
        // Paused, so that nothing arrives before there is a listener.
        ws.pause()
        joinFragments(ws, socket as Socket)
        waiting.get(socket)?.(ws, request.rawHeaders)
      })
  })
  upgrades.on('wsClientError', (error, socket) => refuse(socket, [400, `${error.message}.`]))

  const handshake: Handshake = (socket, { raw }) =>
    new Promise((resolve, reject) => {
      const gone = () => reject(refused.has(socket) ? new ProtocolError('no upgrade') : left())
      raw.once('close', gone)
      waiting.set(socket, (ws, headers) => {
        raw.off('close', gone)
        accounts?.requested(raw, headers)
        opened.set(socket, ws)
        resolve(socket)
      })
      http.emit('connection', socket)
    })
  return { handshake, opened }
}

/** The client closed before the upgrade. */
const left = () => Object.assign(new Error('left before the upgrade'), { code: 'HANDSHAKE_CUT' })

const headersOf = (body: string): Record<string, string> => ({
  Date: new Date().toUTCString(),
  Connection: 'close',
  'Content-Type': 'text/plain; charset=utf-8',
  'Content-Length': String(Buffer.byteLength(body) + 1),
})

/** Why this request for an upgrade is refused; the package checks the rest of it. */
function refusalOf(
  { method, headers }: IncomingMessage,
  origins: string[] | undefined,
): Refusal | undefined {
  if (headers.upgrade?.toLowerCase() !== 'websocket') return noUpgrade
  if (method !== 'GET') return [405, 'An upgrade is asked for with GET.', { Allow: 'GET' }]
  if (headers['sec-websocket-version'] !== '13')
    return [426, 'The version of WebSocket is 13 (RFC 6455).', { ...use13, Upgrade: 'websocket' }]
  // Programs need not send Origin; a browser always does.
  const { origin } = headers
  if (!origins || origin === undefined || origins.includes(origin)) return undefined
  return [403, 'Pages from this origin may not connect.']
}
