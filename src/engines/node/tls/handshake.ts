/** TLS over a stream (RFC 8446, RFC 5246): the handshake of the server, and of the client. */
import { isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import * as tls from 'node:tls'
import { withoutZone } from '../../../vocabulary/address.ts'
import { transports, type Protocol, type TransportName } from '../../../vocabulary/transport.ts'
import { plain } from '../../../wire/tls/certificate.ts'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import type { ServeTask } from '../../../task.ts'
import {
  clientRefused,
  handshakeCut,
  handshakeTimeout,
  pinMismatch,
} from '../../../wire/tls/failures.ts'
import { contextOf, minVersion } from '../../../wire/tls/credentials.ts'
import type { Target } from '../core/link.ts'
import { afterTimeout } from '../core/patience.ts'
import type { Handshake } from '../core/protocol.ts'
import { describeTls } from './details.ts'

/** The server's handshake: makes a secure stream of a plain one. */
export function secure({ tls: identity, handshakeTimeoutMs, address }: ServeTask): Handshake {
  const { cert, key, clientCa } = identity!
  // This TLS server never listens: it is given each connection, and all share its context.
  const server = tls.createServer({
    cert,
    key,
    minVersion,
    ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
    ALPNCallback: ({ protocols }) => choose(address.transport, protocols),
    // The timeout is that of all handshakes together (handshakes.ts).
    handshakeTimeout: Math.min(handshakeTimeoutMs, timerMaxMs),
  })
  /** Called when a handshake ends, by the stream below. */
  const settlers = new Map<unknown, (socket: tls.TLSSocket, error?: Error) => void>()
  const settle = (socket: tls.TLSSocket, error?: Error) =>
    settlers.get(below(socket))?.(socket, error)
  server.on('secureConnection', socket => settle(socket))
  server.on('tlsClientError', (error, socket) => {
    const refused = socket.authorizationError as unknown as string | undefined
    settle(socket, refused ? clientRefused(refused) : error)
  })
  return (socket: Socket) =>
    new Promise<Socket>((resolve, reject) => {
      settlers.set(socket, (secured, error) => {
        settlers.delete(socket)
        if (error) return reject(error)
        secured.allowHalfOpen = true
        resolve(endedByErrors(secured))
      })
      socket.once('close', () => {
        settlers.delete(socket)
        reject(handshakeCut())
      })
      // The stream above inherits this: a client that sends FIN during the handshake has left.
      socket.allowHalfOpen = false
      server.emit('connection', socket)
    })
}

/**
 * Closes a connection whose records make no sense: Node leaves it open. Without this listener an
 * early error would be a crash; so it shows as a destroyed socket.
 */
const endedByErrors = (socket: tls.TLSSocket): tls.TLSSocket =>
  endedByItself(socket.on('error', () => socket.destroy()))

/**
 * If a stream is ended during the event of a chunk, Node asks OpenSSL for close_notify twice, and
 * the second time discards records that still wait. So it is ended in a later turn, when no records
 * wait.
 */
function endedByItself(socket: tls.TLSSocket): tls.TLSSocket {
  const final = socket._final.bind(socket)
  socket._final = callback => void setImmediate(final, callback)
  return socket
}

/** The stream below a TLSSocket, which has no public name. */
const below = (socket: tls.TLSSocket): unknown =>
  (socket as unknown as { _parent: unknown })._parent

/**
 * The protocols above TLS (ALPN), by the protocol of the transport: which a server accepts, and
 * which a client offers. On tls any protocol is echoed, so the first offer is selected.
 */
const spoken: Record<Protocol, { takes: readonly string[] | 'the first'; offers: string[] }> = {
  plain: { takes: 'the first', offers: [] },
  ws: { takes: ['http/1.1'], offers: ['http/1.1'] },
  http: { takes: ['h2', 'http/1.1', 'http/1.0'], offers: ['http/1.1'] },
}

/**
 * Chooses from the protocols that the client offers. Undefined refuses (no_application_protocol,
 * RFC 7301).
 */
function choose(transport: TransportName, protocols: string[]): string | undefined {
  const { takes } = spoken[transports[transport].protocol]
  if (takes === 'the first') return protocols[0]
  return takes.find(protocol => protocols.includes(protocol))
}

/** How to open TLS over a stream that is connected. */
export interface Secured {
  stream: tls.TLSSocket
  /** Protocol, cipher, certificate: a line each, fit for a terminal. */
  readonly details: string[]
}

/**
 * The client's side of the handshake, and the check of the server's identity.
 * Rejects with the system's error, OpenSSL's or one of wire/tls/failures.
 */
export async function secured(
  socket: Duplex,
  { address, calling }: Target,
  timeoutMs: number,
): Promise<Secured> {
  const { transport, host } = address as Extract<Target['address'], { host: string }>
  const { protocol } = transports[transport]
  const { pin, insecure = false, serverName, alpn = spoken[protocol].offers } = calling.tls ?? {}
  const name = withoutZone(serverName ?? host)
  // An address is checked, but cannot be sent (RFC 6066, section 3).
  const sentName = isIP(name) ? '' : name
  const stream = tls.connect({
    socket,
    host: name,
    servername: sentName,
    secureContext: contextOf(calling),
    rejectUnauthorized: pin === undefined && !insecure,
    ...(alpn.length > 0 && { ALPNProtocols: alpn }),
  })
  await agreed(stream, timeoutMs)
  endedByErrors(stream)
  if (pin !== undefined) {
    const seen = plain(stream.getPeerCertificate().fingerprint256 ?? '')
    if (plain(pin) !== seen) {
      stream.destroy()
      throw pinMismatch(seen)
    }
  }
  return {
    stream,
    // Computed when asked for: most callers never ask.
    get details() {
      return describeTls(stream, sentName)
    },
  }
}

/** Resolves when the handshake is done, and the certificate found good. */
function agreed(stream: tls.TLSSocket, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = afterTimeout(timeoutMs, () => void stream.destroy(handshakeTimeout()))
    const fail = (error: NodeJS.ErrnoException) => {
      done()
      // Node reports an end during the handshake as a reset.
      const ended = error.code === 'ECONNRESET' && error.syscall === undefined
      reject(ended ? handshakeCut() : error)
    }
    // A caller that has timed out destroys the stream below; then there is no error.
    const close = () => fail(handshakeCut())
    stream.once('error', fail).once('close', close)
    stream.once('secureConnect', () => {
      done()
      stream.off('error', fail).off('close', close)
      resolve()
    })
  })
}
