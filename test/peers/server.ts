/** A server inside the test, which behaves as badly as the test wants. */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

export interface BadServer extends AsyncDisposable {
  url: string
  /** The first client, once there is one. */
  client: Promise<Socket>
  /** Stops listening; open connections stay. */
  stop(): void
}

/** Listens on a free port of the loopback; going out of scope it closes every connection. */
export async function listen(onClient: (socket: Socket) => void = () => {}): Promise<BadServer> {
  const clients = new Set<Socket>()
  let onFirst!: (socket: Socket) => void
  const client = new Promise<Socket>(resolve => (onFirst = resolve))
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    clients.add(socket)
    // A client may leave however it likes: what it says about that is what the test looks at.
    socket.on('error', () => {})
    onClient(socket)
    onFirst(socket)
  })
  const closed = once(server, 'close')
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `tcp://127.0.0.1:${port}`,
    client,
    stop: () => void server.close(),
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy()
      server.close()
      await closed
    },
  }
}

/** Calls back with everything that one client sent, once it has sent FIN. */
export function onAllReceived(socket: Socket, callback: (all: Buffer) => void): void {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('end', () => callback(Buffer.concat(chunks)))
}

/** Echoes, but flips a bit of the byte at an offset of the stream. */
export function echoFlipped(socket: Socket, offset: number): void {
  let at = 0
  socket.on('data', (chunk: Buffer) => {
    if (offset >= at && offset < at + chunk.length) chunk[offset - at]! ^= 1
    at += chunk.length
    socket.write(chunk)
  })
  socket.on('end', () => socket.end())
}
