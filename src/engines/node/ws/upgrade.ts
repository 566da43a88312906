/** The handshake of WebSocket: an HTTP request that is upgraded (RFC 6455 section 4). */
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { counter, type Meter } from '../../../metrics/meter.ts'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import type { ServeTask } from '../../../task.ts'
import { ProtocolError } from '../../../vocabulary/peer-errors.ts'
import {
  headMaxBytes,
  noHttp,
  noUpgrade,
  refusalHeaders,
  upgradeRefusalOf,
  refusalText,
  tooLarge,
  type UpgradeRefusal,
} from '../../../wire/ws/upgrade.ts'
import { threadAccounts } from '../../accounts.ts'
import { closeWithinMs, lingerMs } from '../../leave.ts'
import type { Handshake } from '../core/protocol.ts'
import { anyFragments, joinFragments } from './fragments.ts'
import { readFrames } from './read-frames.ts'
import { ServerSocket } from './socket.ts'

export interface Upgrade {
  handshake: Handshake
  /** The WebSocket of each upgraded stream; it is paused. */
  opened: WeakMap<Socket, ServerSocket>
}

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
    ...({ closeTimeout: Math.min(closeWithinMs(drainMs), timerMaxMs) } as object),
  })
  /** Parses requests from sockets that were accepted elsewhere; it never listens itself. */
  const http = createServer({ maxHeaderSize: headMaxBytes })

  function refuse(socket: Duplex, refusal: UpgradeRefusal) {
    counters[counter.upgradesRefused]!++
    refused.add(socket)
    socket.end(refusalText(refusal))
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
    response.writeHead(status, { ...refusalHeaders(why), ...headers }).end(`${why}\n`)
  })
  http.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // The handshake sees that the client is gone.
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy()
    else refuse(socket, error.code === 'HPE_HEADER_OVERFLOW' ? tooLarge : noHttp)
  })
  http.on('upgrade', (request, socket, head) => {
    const refusal = upgradeRefusalOf(request, web.origins)
    if (refusal) refuse(socket, refusal)
    else
      upgrades.handleUpgrade(request, socket, head, ws => {
        // Paused, so that nothing arrives before there is a listener.
        ws.pause()
        if (ws.extensions === '') readFrames(ws, web.messageMaxBytes)
        else joinFragments(ws, socket as Socket)
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
