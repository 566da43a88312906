/** Keeps the trace of a connection whose bytes are echoed, or of a session. */
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Meter } from '../../../metrics/meter.ts'
import { frameKinds, writeFrame } from '../../../wire/direction/frames.ts'
import type { Hello } from '../../../wire/direction/hello.ts'
import { plain } from '../../../wire/tls/certificate.ts'
import { Tracer, type Trace } from '../../../wire/direction/trace.ts'
import type { AcceptedSocket } from '../core/protocol.ts'
import { failureName } from '../../failures.ts'
import { writtenTo } from '../../written.ts'
import { sessions } from './registry.ts'

/** A connection that has begun a session. */
export interface TracedConnection {
  /** The stream that carries the session. */
  socket: Duplex
  /** The socket that was accepted, below all other layers. */
  raw: Socket
  forwarded: AcceptedSocket['forwarded']
  meter: Meter
}

const place = (host: string | undefined, port: number | undefined) =>
  host === undefined ? undefined : host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** The client's address as it is seen here. */
export const clientOf = ({ raw }: TracedConnection): string | undefined =>
  place(raw.remoteAddress, raw.remotePort)

function tlsOf(socket: Duplex): Trace['tls'] {
  if (!('encrypted' in socket)) return undefined
  const secured = socket as TLSSocket & { servername?: string | false }
  const { servername, alpnProtocol } = secured
  return {
    protocol: secured.getProtocol() ?? '',
    cipher: secured.getCipher()?.name ?? '',
    ...(typeof servername === 'string' && { servername }),
    ...(typeof alpnProtocol === 'string' && { alpn: alpnProtocol }),
  }
}

/**
 * Begins a trace under the id of the session. In a session with frames, `bytesIn` and the fields
 * that belong to it stay empty: the reports have them.
 */
export function traceOf(
  { mode, id }: Hello,
  connection: TracedConnection,
  echo?: EchoDigest,
): Tracer {
  const { socket, raw, forwarded } = connection
  const tracer = new Tracer(performance.now())
  const about = {
    mode,
    acceptedAt: Date.now(),
    from: clientOf(connection),
    to: place(raw.localAddress, raw.localPort),
    forwardedFrom: forwarded && place(forwarded.source, forwarded.sourcePort),
    tls: tlsOf(socket),
  }
  const writtenBefore = writtenTo(socket)
  let isOpen = true
  const trace = (): Trace => {
    const bytesOut = writtenTo(socket) - socket.writableLength - writtenBefore
    const digestOut = echo?.after(bytesOut)
    return { ...about, ...tracer.found, bytesOut: Math.max(0, bytesOut), digestOut, isOpen }
  }
  const ended = sessions().open(id, trace)
  socket.on('end', () => tracer.note('fin', performance.now()))
  socket.on('finish', () => tracer.note('ended', performance.now()))
  socket.on('error', error => {
    const reason = failureName(error)
    if (reason === 'reset') tracer.note('reset', performance.now())
    else tracer.failed(reason, performance.now())
  })
  socket.on('close', () => {
    isOpen = false
    tracer.note('closed', performance.now())
    ended()
  })
  return tracer
}

/** The digest of all bytes that are written to a stream from now on. */
class EchoDigest {
  readonly #hash = createHash('sha256')
  #bytes = 0

  constructor(stream: Duplex) {
    const write = stream.write.bind(stream) as (...all: unknown[]) => boolean
    stream.write = (chunk: Buffer, ...rest: unknown[]) => {
      this.#hash.update(chunk)
      this.#bytes += chunk.length
      return write(chunk, ...rest)
    }
  }

  /** The digest of the first `bytes` bytes; undefined if more or fewer were written. */
  after(bytes: number): string | undefined {
    return bytes === this.#bytes ? this.#hash.copy().digest('hex') : undefined
  }
}

/** The fingerprint of the certificate that this end has shown. */
function ownFingerprint(socket: Duplex): string | undefined {
  if (!('getCertificate' in socket)) return undefined
  const own = (socket as TLSSocket).getCertificate()
  return own && 'fingerprint256' in own ? plain(own.fingerprint256) : undefined
}

/** The server's answer that the session is served. */
export const acceptedFrame = (connection: TracedConnection): Buffer =>
  writeFrame(frameKinds.accepted, {
    from: clientOf(connection),
    fingerprint: ownFingerprint(connection.socket),
  })

/**
 * Adds every chunk from now on to the trace. To be called before the echo takes the connection
 * over.
 */
export function traceEcho(hello: Hello, connection: TracedConnection): void {
  const { socket } = connection
  socket.write(acceptedFrame(connection))
  const tracer = traceOf(hello, connection, new EchoDigest(socket))
  socket.on('data', (chunk: Buffer) => tracer.bytes(chunk, performance.now()))
}
