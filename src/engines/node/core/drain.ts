/** How a stopping server finishes its connections. */
import type { Socket } from 'node:net'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import { finishAllAfterMs, quietMs } from '../../leave.ts'

/**
 * Calls `finish` for each client when it is quiet, and after a while for all. After `drainMs` it
 * closes those that are still open. Returns a function that stops this.
 */
export function drain(
  clients: ReadonlySet<Socket>,
  drainMs: number,
  finish: (socket: Socket) => void,
): () => void {
  const heard = new Map<Socket, number>()
  const finished = new Set<Socket>()
  const finishAllAtMs = performance.now() + finishAllAfterMs(drainMs)
  const look = () => {
    const late = performance.now() >= finishAllAtMs
    for (const socket of clients) {
      if (finished.has(socket)) continue
      if (!late && heard.get(socket) !== socket.bytesRead) heard.set(socket, socket.bytesRead)
      else {
        finished.add(socket)
        finish(socket)
      }
    }
  }
  look()
  const timer = setInterval(look, quietMs)
  const deadline = setTimeout(
    () => {
      for (const socket of clients) socket.destroy()
    },
    Math.min(drainMs, timerMaxMs),
  )
  return () => {
    clearInterval(timer)
    clearTimeout(deadline)
  }
}
