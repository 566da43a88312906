/** Connects over node:net. */
import { connect, type Socket } from 'node:net'
import type { Address } from '../../address.ts'
import { usageError } from '../../errors.ts'
import { timerMaxMs } from '../../options.ts'
import { explain } from '../failures.ts'

/**
 * A connected socket with half-open allowed and small messages sent at once.
 * @throws UserError if nobody answers
 */
export function dial(address: Address, timeoutMs = 10_000): Promise<Socket> {
  if (address.transport === 'tcp' && address.port === 0)
    throw usageError('Nobody can be reached on port 0.', 'Port 0 is only for listening.')
  return dialOrFail(address, timeoutMs).catch((error: unknown) => {
    throw explain('connect to', address, error)
  })
}

/** The same; rejects with the system's error. */
export function dialOrFail(
  address: Address,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const options = { ...address, allowHalfOpen: true, noDelay: true }
    const socket = connect(signal ? { ...options, signal } : options)
    const timer = setTimeout(
      () => {
        socket.destroy(Object.assign(new Error('connect timed out'), { code: 'ETIMEDOUT' }))
      },
      Math.min(timeoutMs, timerMaxMs),
    )
    const fail = (error: Error) => {
      clearTimeout(timer)
      reject(error)
    }
    socket.once('error', fail)
    socket.once('connect', () => {
      clearTimeout(timer)
      // What breaks before somebody listens shows as a destroyed socket, not as a crash.
      socket.off('error', fail).on('error', () => {})
      resolve(socket)
    })
  })
}
