/** The echo over HTTP: who speaks which version, and how a connection begins and ends. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Meter } from '../../../metrics/meter.ts'
import { timerMaxMs } from '../../../units.ts'
import type { ServeTask } from '../../../task.ts'
import { peek } from '../peek.ts'
import type { Protocol } from '../protocols.ts'
import type { Unfinished } from '../unfinished.ts'
import { createAnswer, createEchoBody } from './answer.ts'
import { createParser } from './h1.ts'
import { createHttp2, preface } from './h2.ts'
import { handOver, Visitor } from './visitor.ts'

export async function createHttpEcho(
  task: ServeTask,
  meter: Meter,
  unfinished: Unfinished,
): Promise<Protocol> {
  const visitors = new WeakMap<object, Visitor>()
  const faulty = task.faults && (await import('./faulty.ts')).createFaultyBody(task, meter)
  const answer = createAnswer(task, meter, faulty?.echo ?? createEchoBody(meter))
  let arriving!: Visitor
  const visitorOf = (socket: unknown) => visitors.get(socket as object)
  const http1 = createParser(task, visitorOf, (request, response, visitor) => {
    // Its first request has come so far that it is served.
    unfinished.delete(visitor.raw)
    answer(request, response, visitor)
  })
  const http2 = createHttp2(task, () => arriving, answer)
  let accepted = 0

  function serve(visitor: Visitor, isHttp2: boolean) {
    if (visitor.socket.destroyed) return
    arriving = visitor
    handOver(isHttp2 ? http2 : http1, visitor.socket)
    visitor.session?.once('remoteSettings', () => unfinished.delete(visitor.raw))
  }

  /** It has begun with its first request, and may make room for others until that has a head. */
  function begin(visitor: Visitor) {
    const { raw, socket } = visitor
    unfinished.add(raw, () => {
      visitor.fail('timedOut')
      socket.destroy()
    })
    raw.once('close', () => unfinished.delete(raw))
  }

  return {
    echo: {
      start(socket, admission) {
        const visitor = new Visitor(socket, admission, accepted++, meter)
        visitors.set(socket, visitor)
        socket.on('error', error => visitor.fail(error))
        const { alpnProtocol } = socket as Partial<TLSSocket>
        if (alpnProtocol !== undefined) {
          begin(visitor)
          return serve(visitor, alpnProtocol === 'h2')
        }
        const timeoutMs = Math.min(task.handshakeTimeoutMs, timerMaxMs)
        hear(socket, timeoutMs, heard => {
          if (heard === 'something') return begin(visitor)
          if (heard !== 'timedOut') return serve(visitor, heard === 'http2')
          visitor.fail('timedOut')
          socket.destroy()
        })
      },
      finish: socket => visitors.get(socket)?.leave(),
    },
    ...(faulty && { setFaults: faults => faulty.setFaults(faults) }),
  }
}

/**
 * Which version begins there (prior knowledge, RFC 9113 section 3.3). Time counts from the first
 * byte: who is silent is no burden.
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
  // What breaks is counted for the connection.
  peek(socket, judge).then(heard, () => clearTimeout(timer))
}
