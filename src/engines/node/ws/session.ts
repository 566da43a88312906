/** Sessions in band over WebSocket: the first message of a connection decides. */
import type { RawData } from 'ws'
import type { Meter } from '../../../metrics/meter.ts'
import { readHello } from '../../../wire/direction/hello.ts'
import type { EchoHandler } from '../core/protocol.ts'
import { beginSession } from '../direction/serve.ts'
import { dataOf } from './socket.ts'
import { MessageStream } from './message-stream.ts'
import type { Upgrade } from './upgrade.ts'

type OnMessage = (data: RawData, isBinary: boolean) => void

/** @param bypassed whether connections are only echoed for now, since faults are in force */
export function withMessageSessions(
  echo: EchoHandler,
  { opened }: Upgrade,
  meter: Meter,
  bypassed: () => boolean,
): EchoHandler {
  const finishers = new WeakMap<object, () => void>()
  return {
    start(socket, accepted) {
      const ws = opened.get(socket)!
      echo.start(socket, accepted)
      if (bypassed()) return
      // The echo gets no message before the first one has shown whether a session begins.
      const listeners = ws.rawListeners('message') as OnMessage[]
      ws.removeAllListeners('message')
      ws.once('message', (data: RawData, isBinary: boolean) => {
        const bytes = dataOf(data)
        const found = isBinary ? readHello(bytes) : undefined
        if (found?.kind !== 'hello' || found.hello.mode === 'echo') {
          for (const listener of listeners) ws.on('message', listener)
          ws.emit('message', data, isBinary)
          return
        }
        ws.removeAllListeners('ping')
        const stream = new MessageStream(ws, socket, false)
        const raw = accepted?.raw ?? socket
        const connection = { socket: stream, raw, forwarded: accepted?.forwarded, meter }
        const finish = beginSession(found.hello, connection, bytes.subarray(found.bytes))
        finishers.set(socket, finish)
      })
    },
    finish(socket) {
      const finish = finishers.get(socket)
      if (finish) finish()
      else echo.finish(socket)
    },
  }
}
