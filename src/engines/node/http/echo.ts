/** The echo over HTTP: detects the version of a connection, begins and ends it. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import { peek } from '../core/peek.ts'
import type { CreateProtocol } from '../core/protocol.ts'
import { createAnswer, createEchoBody } from './answer.ts'
import { createParser } from './h1.ts'
import type { Request } from './exchange.ts'
import { createHttp2, preface } from './h2.ts'
import { handOver, HttpConnection } from './connection.ts'

export const createHttpEcho: CreateProtocol = async (task, meter, { unfinished, holdBack }) => {
  const connections = new WeakMap<object, HttpConnection>()
  const faulty =
    task.faults && (await import('./faulty.ts')).createFaultyBody(task, meter, holdBack)
  let faults = task.faults ?? []
  let body = faulty?.echo ?? createEchoBody(meter, holdBack)
  let isSession: (request: Request) => boolean = () => false
  if (task.directions) {
    const { asksForSession, withRequestSessions } = await import('./session.ts')
    body = withRequestSessions(body, meter, () => faults.length > 0)
    isSession = request => faults.length === 0 && asksForSession(request)
  }
  const answer = createAnswer(task, meter, body, isSession)
  let arriving!: HttpConnection
  const connectionOf = (socket: unknown) => connections.get(socket as object)
  const http1 = createParser(task, connectionOf, (request, response, connection) => {
    // The head of its first request has come: the connection is served.
    unfinished.delete(connection.raw)
    answer(request, response, connection)
  })
  const http2 = createHttp2(task, () => arriving, answer)
  let count = 0

  function serve(connection: HttpConnection, isHttp2: boolean) {
    if (connection.socket.destroyed) return
    arriving = connection
    handOver(isHttp2 ? http2 : http1, connection.socket)
    connection.session?.once('remoteSettings', () => unfinished.delete(connection.raw))
  }

  /**
   * The first bytes of a connection have come. Until the head of its first request is complete, the
   * server may close it in favour of other clients.
   */
  function begin(connection: HttpConnection) {
    const { raw, socket } = connection
    unfinished.add(raw, () => {
      connection.fail('timedOut')
      socket.destroy()
    })
    raw.once('close', () => unfinished.delete(raw))
  }

  return {
    echo: {
      start(socket, accepted) {
        const connection = new HttpConnection(socket, accepted, count++, meter)
        connections.set(socket, connection)
        socket.on('error', error => connection.fail(error))
        const { alpnProtocol } = socket as Partial<TLSSocket>
        if (alpnProtocol !== undefined) {
          begin(connection)
          return serve(connection, alpnProtocol === 'h2')
        }
        const timeoutMs = Math.min(task.handshakeTimeoutMs, timerMaxMs)
        hear(socket, timeoutMs, heard => {
          if (heard === 'something') return begin(connection)
          if (heard !== 'timedOut') return serve(connection, heard === 'http2')
          connection.fail('timedOut')
          socket.destroy()
        })
      },
      finish: socket => connections.get(socket)?.leave(),
    },
    ...(faulty && {
      setFaults(others) {
        faults = others
        faulty.setFaults(others)
      },
    }),
  }
}

/**
 * Finds the version by the first bytes (prior knowledge, RFC 9113 section 3.3). The timeout counts
 * from the first byte: a client that is silent costs nothing.
 */
function hear(
  socket: Socket,
  timeoutMs: number,
  listener: (heard: 'something' | 'http1' | 'http2' | 'timedOut') => void,
) {
  let begun = false
  let timer: NodeJS.Timeout | undefined
  const judge = (bytes: Buffer, ended: boolean) => {
    const length = Math.min(bytes.length, preface.length)
    const isHttp2 = bytes.compare(preface, 0, length, 0, length) === 0
    if (ended && length === 0) return 'nothing'
    if (!begun) listener('something')
    begun = true
    if (!isHttp2 || ended) return 'http1'
    if (length === preface.length) return 'http2'
    timer ??= setTimeout(() => listener('timedOut'), timeoutMs)
    return undefined
  }
  const heard = (version: 'http1' | 'http2' | 'nothing') => {
    clearTimeout(timer)
    if (version === 'nothing') socket.end()
    else listener(version)
    if (version === 'http1') socket.resume()
  }
  // Errors are counted for the connection.
  peek(socket, judge).then(heard, () => clearTimeout(timer))
}
