/** Starts a server with faults, and tells how a plain client fares with it. */
import { parseFault, serve, type Server } from 'yodel'
import { dial, ending } from './client.ts'

/** @param faults as on the command line, with spaces between them */
export const start = (faults: string, options: { seed?: number; drainMs?: number } = {}) =>
  serve(':0', { ...options, faults: faults === '' ? [] : faults.split(' ').map(parseFault) })

export const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

/** How a connection ends after this much was sent on it: how much came back, and the error. */
export async function fate(server: Server, sent: Buffer): Promise<string> {
  let received = 0
  try {
    const socket = await dial(server.address)
    socket.on('data', (chunk: Buffer) => (received += chunk.length))
    socket.write(sent)
    return `${await ending(socket)} after ${received}`
  } catch (error) {
    // Reset before connect() had said that it is there.
    return `${(error as NodeJS.ErrnoException).code} after 0`
  }
}
