/** Closes idle connections, by a scan of all connections at intervals. */
import type { Socket } from 'node:net'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import { writtenTo } from '../../written.ts'

/** Scans per idle timeout: a connection is closed at most a quarter of the timeout late. */
const scans = 4

/**
 * A scan costs nothing per chunk; a timer per connection would. Time is counted in scans, not by
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
  const scan = () => {
    now++
    for (const socket of clients) {
      const bytes = socket.bytesRead + writtenTo(socket)
      const last = lastMoves.get(socket)
      if (last?.bytes !== bytes) lastMoves.set(socket, { bytes, seenAt: now })
      else if (now - last.seenAt >= scans) onIdle(socket)
    }
  }
  const timer = setInterval(scan, Math.max(1, Math.min(timeoutMs / scans, timerMaxMs)))
  return () => clearInterval(timer)
}
