/** How a server takes leave of its clients. */
import type { Socket } from 'node:net'
import { timerMaxMs } from '../../../units.ts'

/** A connection on which nothing has come for so long has delivered what was under way. */
const quietMs = 20
/** Those who never fall silent are told after so long. */
const talkMs = 200

/**
 * Calls `finish` for each client once it is quiet, and at last for all; after `drainMs` closes
 * those who still have not hung up. Returns a function that ends the waiting.
 */
export function drain(
  clients: ReadonlySet<Socket>,
  drainMs: number,
  finish: (socket: Socket) => void,
): () => void {
  const heard = new Map<Socket, number>()
  const finished = new Set<Socket>()
  const patient = performance.now() + Math.min(talkMs, drainMs / 2)
  const look = () => {
    const late = performance.now() >= patient
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
