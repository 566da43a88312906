/** Looks at how a stream begins, and leaves the bytes in it for the next reader. */
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
      // Nothing, as long as there is not one byte more; but what there is, once there is an end.
      // A read of more than is there would emit the end before the next reader could listen.
      const bytes = socket.read(Math.max(seen + 1, socket.readableLength)) as Buffer | null
      const ended = bytes ? bytes.length === seen : socket.readableEnded
      if (!bytes && !ended) return
      seen = bytes?.length ?? 0
      // In the same turn: then the end has to wait.
      if (bytes) socket.unshift(bytes)
      const verdict = judge(bytes ?? Buffer.alloc(0), ended)
      if (verdict !== undefined) settle(() => resolve(verdict))
    }
    // One listener for all of it: each new one is told again of what is there already.
    for (const event of events) socket.on(event, look)
    look()
  })
}

/** The client hung up before its first bytes were complete. */
const left = () => Object.assign(new Error('left at once'), { code: 'HANDSHAKE_CUT' })

/** Calls once bytes have come, or none will come any more. */
export function heardOf(socket: Socket, listener: () => void): void {
  const heard = () => {
    for (const event of events) socket.off(event, heard)
    listener()
  }
  for (const event of events) socket.on(event, heard)
}
