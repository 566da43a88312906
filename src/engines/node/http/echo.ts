/** The echo over HTTP: who speaks which version, and how a connection begins and ends. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { counter, type Meter } from '../../../metrics/meter.ts'
import { timerMaxMs } from '../../../units.ts'
import type { ServeTask } from '../../../task.ts'
import { failureName } from '../../failures.ts'
import { peek } from '../peek.ts'
import type { Protocol } from '../protocols.ts'
import { createAnswer, createEchoBody } from './answer.ts'
import { createParser } from './h1.ts'
import { createHttp2, preface } from './h2.ts'
import { handOver, Visitor } from './visitor.ts'

export async function createHttpEcho(task: ServeTask, meter: Meter): Promise<Protocol> {
  const { counters } = meter
  const visitors = new WeakMap<object, Visitor>()
  const faulty = task.faults && (await import('./faulty.ts')).createFaultyBody(task, meter)
  const answer = createAnswer(task, meter, faulty?.echo ?? createEchoBody(meter))
  let arriving!: Visitor
  const http1 = createParser(task, meter, socket => visitors.get(socket as object), answer)
  const http2 = createHttp2(task, meter, () => arriving, answer)
  let accepted = 0

  function serve(visitor: Visitor, isHttp2: boolean) {
    if (visitor.socket.destroyed) return
    arriving = visitor
    handOver(isHttp2 ? http2 : http1, visitor.socket)
  }

  return {
    echo: {
      start(socket, admission) {
        const visitor = new Visitor(socket, admission, accepted++)
        visitors.set(socket, visitor)
        socket.on('error', (error: NodeJS.ErrnoException) => {
          const isHttp2 = error.code?.startsWith('ERR_HTTP2') === true
          counters[counter[isHttp2 ? 'protocol' : failureName(error)]]!++
        })
        const { alpnProtocol } = socket as Partial<TLSSocket>
        if (alpnProtocol !== undefined) return serve(visitor, alpnProtocol === 'h2')
        const timeoutMs = Math.min(task.handshakeTimeoutMs, timerMaxMs)
        hear(socket, timeoutMs, heard => {
          if (heard !== 'timedOut') return serve(visitor, heard === 'http2')
          counters[counter.timedOut]!++
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
  listener: (heard: 'http1' | 'http2' | 'timedOut') => void,
) {
  let timer: NodeJS.Timeout | undefined
  const judge = (bytes: Buffer, ended: boolean) => {
    const length = Math.min(bytes.length, preface.length)
    const isHttp2 = bytes.compare(preface, 0, length, 0, length) === 0
    if (ended && length === 0) return 'nothing'
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
