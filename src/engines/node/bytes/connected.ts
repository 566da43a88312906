/** Waits until a socket is connected. */
import type { Socket } from 'node:net'
import { afterTimeout } from '../core/patience.ts'

/** @throws the system's error; ETIMEDOUT if connecting takes longer */
export function whenConnected(socket: Socket, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const done = afterTimeout(timeoutMs, () => {
      socket.destroy(Object.assign(new Error('connect timed out'), { code: 'ETIMEDOUT' }))
    })
    const fail = (error: Error) => {
      done()
      reject(error)
    }
    socket.once('error', fail)
    socket.once('connect', () => {
      done()
      // An error before a listener is there shows as a destroyed socket, not as a crash.
      socket.off('error', fail).on('error', () => {})
      resolve(socket)
    })
  })
}
