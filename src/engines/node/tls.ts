/** TLS over a stream (RFC 8446, RFC 5246): the step by which clients come in, and the way out. */
import { once } from 'node:events'
import { isIP, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import * as tls from 'node:tls'
import { plain } from '../../certificate.ts'
import { timerMaxMs } from '../../options.ts'
import type { ServeTask } from '../../task.ts'
import type { TlsCalling } from '../../transport.ts'
import { certificateRequired, pinMismatch } from '../tls-failures.ts'
import type { Target } from './dial.ts'
import type { Step } from './entrance.ts'
import { describe } from './tls-details.ts'

/** What is older is broken (RFC 8996), whatever this Node was told to allow. */
const minVersion = 'TLSv1.2'

/** The step that makes a secure stream of one in the clear. */
export function secure({ tls: identity, handshakeTimeoutMs, address }: ServeTask): Step {
  const { cert, key, clientCa } = identity!
  // It never listens: it is handed the connections, one by one, and shares the context among them.
  const server = tls.createServer({
    cert,
    key,
    minVersion,
    ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
    ALPNCallback: ({ protocols }) => choose(address.transport, protocols),
    // The entrance is the one who loses patience.
    handshakeTimeout: Math.min(handshakeTimeoutMs, timerMaxMs),
  })
  /** Those on their way in, by the stream below. */
  const settlers = new Map<unknown, (socket: tls.TLSSocket, error?: Error) => void>()
  const settle = (socket: tls.TLSSocket, error?: Error) =>
    settlers.get(below(socket))?.(socket, error)
  server.on('secureConnection', socket => settle(socket))
  server.on('tlsClientError', (error, socket) => {
    const refused = socket.authorizationError as unknown as string | undefined
    settle(socket, refused ? certificateRequired(refused) : error)
  })
  return (socket: Socket) =>
    new Promise<Socket>((resolve, reject) => {
      settlers.set(socket, (secured, error) => {
        settlers.delete(socket)
        if (error) return reject(error)
        // What breaks before the echo listens shows as a destroyed socket, not as a crash.
        resolve(secured.on('error', () => {}))
      })
      socket.once('close', () => {
        settlers.delete(socket)
        reject(new Error('closed within the handshake'))
      })
      server.emit('connection', socket)
    })
}

/** The stream that a TLSSocket was made of: it has no public name. */
const below = (socket: tls.TLSSocket): unknown =>
  (socket as unknown as { _parent: unknown })._parent

/**
 * Whatever a client wants to speak, it is echoed: so we agree to what it likes best. Behind https
 * and wss there is HTTP/1.1 alone; undefined refuses (no_application_protocol, RFC 7301).
 */
function choose(transport: string, protocols: string[]): string | undefined {
  if (transport === 'tls') return protocols[0]
  return protocols.find(protocol => protocol === 'http/1.1')
}

/** How to reach somebody over a stream that is open. */
export interface Secured {
  stream: tls.TLSSocket
  /** Protocol, cipher, certificate: a line each, fit for a terminal. */
  readonly details: string[]
}

/**
 * The client's side of the handshake, and the check of whom we talk to.
 * Rejects with the system's error, OpenSSL's or one of tls-failures.ts.
 */
export async function secured(
  socket: Duplex,
  { address, calling }: Target,
  timeoutMs: number,
): Promise<Secured> {
  const { transport, host } = address as Extract<Target['address'], { host: string }>
  const { pin, insecure = false, serverName, alpn = nativeProtocols(transport) } = calling.tls ?? {}
  const sentName = serverName ?? (isIP(host) ? '' : host)
  const stream = tls.connect({
    socket,
    // For the check of names where there is no SNI: an address cannot be one (RFC 6066, section 3).
    host,
    servername: sentName,
    secureContext: contextOf(calling.tls ?? noTls),
    rejectUnauthorized: pin === undefined && !insecure,
    ...(alpn.length > 0 && { ALPNProtocols: alpn }),
  })
  const timer = setTimeout(
    () => {
      stream.destroy(Object.assign(new Error('handshake timed out'), { code: 'ETIMEDOUT' }))
    },
    Math.min(timeoutMs, timerMaxMs),
  )
  try {
    await once(stream, 'secureConnect')
  } finally {
    clearTimeout(timer)
  }
  // What breaks before somebody listens shows as a destroyed socket, not as a crash.
  stream.on('error', () => {})
  if (pin !== undefined) {
    const seen = plain(stream.getPeerCertificate().fingerprint256 ?? '')
    if (plain(pin) !== seen) {
      stream.destroy()
      throw pinMismatch(seen)
    }
  }
  return {
    stream,
    // Most never ask.
    get details() {
      return describe(stream, sentName)
    },
  }
}

/** What we speak where the transport itself says it. */
const nativeProtocols = (transport: string): string[] => (transport === 'tls' ? [] : ['http/1.1'])

const noTls: TlsCalling = {}
/** Made once for all connections: reading the authorities of Node takes some 10 ms. */
const contexts = new WeakMap<TlsCalling, tls.SecureContext>()

function contextOf(calling: TlsCalling): tls.SecureContext {
  const known = contexts.get(calling)
  if (known) return known
  const { ca, cert, key, pin, insecure } = calling
  const context = tls.createSecureContext({
    minVersion,
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    // Nobody is asked where a pin decides, or nothing does.
    ...(pin !== undefined || insecure
      ? { ca: [] }
      : ca !== undefined && { ca: [...tls.rootCertificates, ca] }),
  })
  contexts.set(calling, context)
  return context
}
