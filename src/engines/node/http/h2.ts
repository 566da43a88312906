/** HTTP/2 (RFC 9113) of Node, with limits for what costs the server more than the client. */
import {
  constants,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import type { ServeTask } from '../../../task.ts'
import { ProtocolError } from '../../../vocabulary/peer-errors.ts'
import type { Request, Response } from './exchange.ts'
import { heedFin } from './h2-fin.ts'
import { Pulse, Pulses } from './h2-pulse.ts'
import { headersMaxBytes } from './rules.ts'
import type { HttpConnection } from './connection.ts'

/** The first bytes of a client (section 3.4). */
export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** How many of each a client may cause: a burst, and a rate per second. */
const bounds = {
  /**
   * Streams that end before their answer, by RST_STREAM of the client (CVE-2023-44487) or because
   * of what it sent (CVE-2025-8671).
   */
  resets: { atOnce: 200, perSecond: 20 },
  /** Frames that have to be answered: PING and SETTINGS. */
  controls: { atOnce: 500, perSecond: 50 },
}

const tooMany = new ProtocolError('too many')

class Allowance {
  readonly #perMs: number
  readonly #atOnce: number
  #left: number
  #atMs = performance.now()

  constructor({ atOnce, perSecond }: { atOnce: number; perSecond: number }) {
    this.#atOnce = this.#left = atOnce
    this.#perMs = perSecond / 1e3
  }

  /** Takes one token; false if none was left. */
  take(): boolean {
    const nowMs = performance.now()
    this.#left = Math.min(this.#atOnce, this.#left + (nowMs - this.#atMs) * this.#perMs)
    this.#atMs = nowMs
    return --this.#left >= 0
  }
}

/** @param arriving returns the connection that was just given to this server */
export function createHttp2(
  { handshakeTimeoutMs }: ServeTask,
  arriving: () => HttpConnection,
  answer: (request: Request, response: Response, connection: HttpConnection) => void,
): Http2Server {
  const connections = new WeakMap<ServerHttp2Session, HttpConnection>()
  const pulses = new Pulses()
  const server = createServer({
    maxHeaderListPairs: 1_000,
    maxSessionInvalidFrames: 100,
    maxSendHeaderBlockLength: 64 * 1024,
    settings: { maxConcurrentStreams: 100, maxHeaderListSize: headersMaxBytes, enablePush: false },
  })
  server.on('session', session => {
    const connection = arriving()
    connections.set(session, connection)
    connection.session = session
    watch(session, connection)
  })
  server.on('sessionError', (error, session) => {
    connections.get(session)?.fail(error)
  })
  const onRequest = (request: Http2ServerRequest, response: Http2ServerResponse) => {
    const connection = connections.get(request.stream.session as ServerHttp2Session)
    if (connection) answer(request, response as unknown as Response, connection)
  }
  // Without these listeners Node would answer CONNECT and Expect by itself, with no body.
  for (const event of ['request', 'connect', 'checkExpectation']) server.on(event, onRequest)

  function watch(session: ServerHttp2Session, connection: HttpConnection) {
    const { socket } = connection
    const [resets, controls] = [new Allowance(bounds.resets), new Allowance(bounds.controls)]
    const tooMuch = () => {
      if (session.destroyed || !connection.fail('protocol')) return
      session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM)
      // Waits for the next turn: while a write is under way, Node would drop the GOAWAY.
      setImmediate(() => session.destroy(tooMany, constants.NGHTTP2_ENHANCE_YOUR_CALM))
      connection.hangUpSoon()
    }
    const control = () => controls.take() || tooMuch()
    session.on('ping', control).on('remoteSettings', control)
    const streams = new Set<ServerHttp2Stream>()
    heedFin(session, socket, () => streams)
    session.on('stream', stream => {
      streams.add(stream)
      // Node destroys a stream without an error code only after all of it is read.
      const giveUp = () => setImmediate(() => stream.destroy())
      if (stream.aborted) giveUp()
      else stream.once('aborted', giveUp)
      stream.once('close', () => {
        streams.delete(stream)
        // `aborted` alone is not enough: it is not emitted once an answer waits to be sent.
        const answered = stream.writableFinished && !stream.aborted
        if (answered || connection.hasCut(stream) || socket.destroyed) return
        if (!resets.take()) tooMuch()
      })
    })
    const pulse = new Pulse(connection.raw, socket, session, why => {
      if (why === 'broken') connection.fail('protocol')
      connection.left()
    })
    pulses.watch(connection.raw, pulse)
    const silent = setTimeout(
      () => {
        connection.fail('timedOut')
        connection.raw.destroy()
      },
      Math.min(handshakeTimeoutMs, timerMaxMs),
    )
    const heard = () => clearTimeout(silent)
    session.once('remoteSettings', heard).once('close', heard)
  }
  return server
}
