/** Reads the first bytes of a stream without consuming them. */
import type { Socket } from 'node:net'

const events = ['readable', 'end', 'close'] as const

/**
 * Asks `judge` about the bytes so far, each time that more have come, until it decides; `ended`: no
 * more will come, so it must decide. All these bytes, and the end, can still be read afterwards.
 * Rejects with the error of the stream, or if it is gone.
 */
export function peek<T>(
  socket: Socket,
  judge: (bytes: Buffer, ended: boolean) => T | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let seen = 0
    const settle = (how: () => void) => {
      for (const event of events) socket.off(event, look)
      how()
    }
    const look = () => {
      if (socket.destroyed) return settle(() => reject(socket.errored ?? left()))
      // Null while there is no new byte; all bytes once the stream has ended.
      // Reading more than is there would emit `end` before the next reader listens.
      const bytes = socket.read(Math.max(seen + 1, socket.readableLength)) as Buffer | null
      const ended = bytes ? bytes.length === seen : socket.readableEnded
      if (!bytes && !ended) return
      seen = bytes?.length ?? 0
      // Puts the bytes back in the same turn, so that `end` has to wait.
      if (bytes) socket.unshift(bytes)
      const verdict = judge(bytes ?? Buffer.alloc(0), ended)
      if (verdict !== undefined) settle(() => resolve(verdict))
    }
    // One listener for the whole peek: each new listener would be called again for bytes already
    // seen.
    for (const event of events) socket.on(event, look)
    look()
  })
}

/** The error if the client left before its first bytes were complete. */
const left = () => Object.assign(new Error('left at once'), { code: 'HANDSHAKE_CUT' })

/** Calls the function once bytes have come, or the stream has ended. */
export function heardOf(socket: Socket, listener: () => void): void {
  const heard = () => {
    for (const event of events) socket.off(event, heard)
    listener()
  }
  for (const event of events) socket.on(event, heard)
}
