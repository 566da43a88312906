/** Looks at the connections of a stopping server, and does what engines/leave decides. */
import type { Socket } from 'node:net'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import { nextStep, quietMs } from '../../leave.ts'

/**
 * @param tell called for each client once, when it is to learn that the server leaves
 * @returns a function that stops this
 */
export function drain(
  clients: ReadonlySet<Socket>,
  drainMs: number,
  tell: (socket: Socket) => void,
): () => void {
  const heard = new Map<Socket, number>()
  const told = new Set<Socket>()
  const startMs = performance.now()
  const look = (leavingMs: number) => {
    for (const socket of clients) {
      const { bytesRead } = socket
      const isQuiet = heard.get(socket) === bytesRead
      heard.set(socket, bytesRead)
      const step = nextStep({ drainMs, leavingMs }, { isQuiet, isTold: told.has(socket) })
      if (step === 'cut') socket.destroy()
      if (step !== 'tell') continue
      told.add(socket)
      tell(socket)
    }
  }
  look(0)
  const timer = setInterval(() => look(performance.now() - startMs), quietMs)
  const deadline = setTimeout(() => look(drainMs), Math.min(drainMs, timerMaxMs))
  return () => {
    clearInterval(timer)
    clearTimeout(deadline)
  }
}
