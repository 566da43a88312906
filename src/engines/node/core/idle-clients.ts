/** Closes idle connections, by a scan of all connections at intervals. */
import type { Socket } from 'node:net'
import { timerMaxMs } from '../../../vocabulary/units.ts'
import { idleScans, isIdle } from '../../slow-clients.ts'
import { writtenTo } from '../../written.ts'

/**
 * A scan costs nothing per chunk; a timer per connection would. Returns a function that stops it.
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
      else if (isIdle(now - last.seenAt)) onIdle(socket)
    }
  }
  const timer = setInterval(scan, Math.max(1, Math.min(timeoutMs / idleScans, timerMaxMs)))
  return () => clearInterval(timer)
}
