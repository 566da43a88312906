/** A plain client for tests, which shares no code with yodel. */
import { once } from 'node:events'
import { connect, type NetConnectOpts, type Socket } from 'node:net'

/** Connects with half-open allowed. */
export async function dial(where: NetConnectOpts): Promise<Socket> {
  const socket = connect({ ...where, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

/** Everything until the other side's FIN, after which we may go on; rejects if it breaks. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket.iterator({ destroyOnReturn: false }))
    chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Exactly so many bytes; what is beyond them stays unread. */
export async function read(socket: Socket, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for (let missing = bytes; missing > 0;) {
    const chunk = socket.read() as Buffer | null
    if (!chunk) {
      await once(socket, 'readable')
      continue
    }
    chunks.push(chunk.subarray(0, missing))
    if (chunk.length > missing) socket.unshift(chunk.subarray(missing))
    missing -= Math.min(missing, chunk.length)
  }
  return Buffer.concat(chunks)
}

/** Sends, and waits until as much has come back. */
export async function echo(socket: Socket, message: string): Promise<string> {
  socket.write(message)
  return (await read(socket, Buffer.byteLength(message))).toString()
}

/** Hangs up on FIN. The name of the error with which it breaks, or 'closed' if it does not. */
export function ending(socket: Socket): Promise<string> {
  return new Promise(resolve => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.once('close', () => resolve('closed'))
    socket.once('end', () => socket.end())
    socket.resume()
  })
}

/** Waits until it holds, looking every few milliseconds; the runner's time limit bounds it. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setTimeout(resolve, 5))
}
