/** Echo of WebSocket messages: each comes back whole, of its kind, in order. */
import type { Socket } from 'node:net'
import { counter, type Meter } from '../../../metrics/meter.ts'
import { unsentMaxBytes, type HoldBack } from '../../backpressure.ts'
import { failureName } from '../../failures.ts'
import type { CreateProtocol, EchoHandler } from '../core/protocol.ts'
import { goingAway } from '../../../wire/ws/closing.ts'
import { opcode } from '../../../wire/ws/frames.ts'
import { FrameWriter } from './frame-writer.ts'
import { dataOf, type ServerSocket } from './socket.ts'
import { createUpgrade, type Upgrade } from './upgrade.ts'
import { countGarbage } from '../../garbage.ts'

export const createMessages: CreateProtocol = async (task, meter, { holdBack }) => {
  const upgrade = createUpgrade(task, meter)
  const handshakes = [upgrade.handshake]
  let faults = task.faults ?? []
  const serving = async (echo: EchoHandler) => {
    if (!task.directions) return echo
    const { withMessageSessions } = await import('./session.ts')
    return withMessageSessions(echo, upgrade, meter, () => faults.length > 0)
  }
  if (!task.faults) return { handshakes, echo: await serving(createEcho(upgrade, meter, holdBack)) }
  const { createFaultyEcho } = await import('../core/faulty-echo.ts')
  const { MessagePeer } = await import('./peer.ts')
  const echo = createFaultyEcho(task, meter, socket => {
    const ws = upgrade.opened.get(socket)!
    countFailures(ws, socket, meter)
    return new MessagePeer(ws, socket, holdBack)
  })
  return {
    handshakes,
    echo: await serving(resumed(echo, upgrade)),
    setFaults(others) {
      faults = others
      echo.setFaults(others)
    },
  }
}

/**
 * Backpressure as for bytes (see ../bytes/echo.ts). A connection holds at most `unsentMaxBytes` and
 * one message that wait to be sent, one chunk (64 KiB), and a message that is not complete: twice
 * the longest message that is allowed, and 256 KiB.
 */
function createEcho({ opened }: Upgrade, meter: Meter, holdBack: HoldBack): EchoHandler {
  return {
    start(socket) {
      const ws = opened.get(socket)!
      const echo = ws.extensions === '' ? echoFrames : echoDeflated
      echo(ws, socket, meter, holdBack)
      countFailures(ws, socket, meter)
      ws.resume()
    },
    finish(socket) {
      const ws = opened.get(socket)!
      // Messages that were read but not delivered, because of backpressure, are echoed first.
      socket.read()
      ws.close(...goingAway)
      ws.resume()
    },
  }
}

type BeginEcho = (ws: ServerSocket, socket: Socket, meter: Meter, holdBack: HoldBack) => void

const echoFrames: BeginEcho = (ws, socket, { counters }, holdBack) => {
  const writer = new FrameWriter(socket, false)
  const send = (code: number, payload: Buffer) => {
    writer.frame(code, payload)
    if (writer.waitingBytes > unsentMaxBytes) holdBack(ws)
  }
  ws.beforeClose = () => {
    writer.flush()
    return false
  }
  ws.on('message', (data, isBinary) => {
    const message = dataOf(data)
    if (!counted(ws, message, counters)) return
    send(isBinary ? opcode.binary : opcode.text, message)
  })
  ws.on('ping', data => {
    if (ws.readyState === ws.OPEN) send(opcode.pong, data)
  })
  socket.on('drain', () => {
    if (ws.isPaused) ws.resume()
  })
}

/**
 * The echo with compression. Another thread compresses meanwhile, so the package ws has to keep the
 * frames in order.
 */
const echoDeflated: BeginEcho = (ws, socket, { counters }, holdBack) => {
  const resume = () => {
    if (ws.isPaused && ws.bufferedAmount <= unsentMaxBytes) ws.resume()
  }
  ws.on('message', (data, isBinary) => {
    const message = dataOf(data)
    if (!counted(ws, message, counters)) return
    ws.send(message, { binary: isBinary }, resume)
    if (ws.bufferedAmount > unsentMaxBytes) holdBack(ws)
  })
  ws.on('ping', data => {
    if (ws.readyState !== ws.OPEN) return
    ws.pong(data, false, resume)
    if (ws.bufferedAmount > unsentMaxBytes) holdBack(ws)
  })
  socket.on('drain', resume)
}

/** Counts a message. Returns whether it is echoed: not after the close frame. */
function counted(ws: ServerSocket, { length }: Buffer, counters: Float64Array): boolean {
  if (ws.readyState !== ws.OPEN) {
    counters[counter.bytesDiscarded]! += length
    return false
  }
  counters[counter.chunks]!++
  counters[counter.bytesIn]! += length
  countGarbage(length)
  counters[counter.bytesOut]! += length
  return true
}

/** Resumes the WebSocket once the echo listens, so that nothing arrives before. */
const resumed = (echo: EchoHandler, { opened }: Upgrade): EchoHandler => ({
  start(socket, accepted) {
    echo.start(socket, accepted)
    opened.get(socket)!.resume()
  },
  finish: socket => echo.finish(socket),
})

/**
 * The errors for a message that is too long. All other errors of the package mean a broken frame.
 */
const tooLong = ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH']

/** Counts broken frames. (The package itself closes the connection with the right code.) */
function countFailures(ws: ServerSocket, socket: Socket, { counters }: Meter): void {
  ws.on('error', (error: NodeJS.ErrnoException) => {
    const isTooLong = tooLong.includes(error.code ?? '')
    counters[counter[isTooLong ? 'messagesTooLong' : 'protocol']]!++
  })
  socket.on('error', error => counters[counter[failureName(error)]]!++)
}
