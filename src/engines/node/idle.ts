/** Closes connections on which nothing moves, by looking at all of them now and then. */
import type { Socket } from 'node:net'

/**
 * A connection is closed between one and 1.25 idle timeouts after its last byte: looking costs
 * nothing per chunk, a timer per connection would. Returns a function that ends it.
 */
export function closeIdle(
  clients: ReadonlySet<Socket>,
  timeoutMs: number,
  onIdle: (socket: Socket) => void,
): () => void {
  const lastMoves = new WeakMap<Socket, { bytes: number; atMs: number }>()
  const look = () => {
    const atMs = performance.now()
    for (const socket of clients) {
      const bytes = socket.bytesRead + socket.bytesWritten
      const last = lastMoves.get(socket)
      if (last?.bytes !== bytes) lastMoves.set(socket, { bytes, atMs })
      else if (atMs - last.atMs >= timeoutMs) onIdle(socket)
    }
  }
  const timer = setInterval(look, Math.max(1, Math.min(timeoutMs / 4, 2 ** 31 - 1)))
  return () => clearInterval(timer)
}
