/** Closes idle connections, by a look at all connections at intervals. */
import type { Socket } from 'node:net'
import { timerMaxMs } from '../../../vocabulary/units.ts'

/** Looks per idle timeout: a connection is closed at most a quarter of the timeout late. */
const looks = 4

/**
 * A look costs nothing per chunk; a timer per connection would. Time is counted in looks, not by
 * the clock: after a pause of the whole process, a client that sent meanwhile is not idle.
 * Returns a function that stops it.
 */
export function closeIdle(
  clients: ReadonlySet<Socket>,
  timeoutMs: number,
  onIdle: (socket: Socket) => void,
): () => void {
  const lastMoves = new WeakMap<Socket, { bytes: number; seenAt: number }>()
  let now = 0
  const look = () => {
    now++
    for (const socket of clients) {
      const bytes = socket.bytesRead + socket.bytesWritten
      const last = lastMoves.get(socket)
      if (last?.bytes !== bytes) lastMoves.set(socket, { bytes, seenAt: now })
      else if (now - last.seenAt >= looks) onIdle(socket)
    }
  }
  const timer = setInterval(look, Math.max(1, Math.min(timeoutMs / looks, timerMaxMs)))
  return () => clearInterval(timer)
}
