/**
 * A server whose behaviour is known, on each transport. It keeps a log of its own: where the
 * wire cannot be captured, that log is the witness.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createHttp } from 'node:http'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createServer as createTls } from 'node:tls'
import { WebSocketServer } from 'ws'
import { pem } from '../certificates.ts'
import { Behaviour, type Known } from './behaviour.ts'
import type { Framing } from './framings.ts'
import type { Exchange } from './wire.ts'

export interface KnownServer extends AsyncDisposable {
  url: string
  port: number
  /** What it has seen so far: arrivals, and the instants at which it let the replies go. */
  log: Exchange[]
}

export async function startKnown(known: Known, framing: Framing): Promise<KnownServer> {
  const behaviour = new Behaviour(known)
  const log: Exchange[] = []
  let connections = 0
  /** Takes the messages of one connection, each with the function that sends its reply. */
  const client: Client = (socket, connection = connections++) => {
    let orderMs = 0
    return (reply: () => void) => {
      const sentMs = performance.now()
      const exchange: Exchange = { connection, sentMs, cameMs: null }
      log.push(exchange)
      const dueMs = behaviour.dueMs(sentMs, connection)
      if (dueMs === null) {
        if (behaviour.death === 'fin') socket?.end()
        // Below TLS there is no way to reset.
        if (behaviour.death === 'reset' && framing.transport === 'tls') socket?.destroy()
        else if (behaviour.death === 'reset') socket?.resetAndDestroy()
        return
      }
      // A stream has an order.
      if (framing.transport !== 'udp') orderMs = Math.max(orderMs, dueMs)
      behaviour.schedule(framing.transport === 'udp' ? dueMs : orderMs, () => {
        exchange.cameMs = performance.now()
        reply()
      })
    }
  }
  const { port, close } = await listeners[framing.transport](client, framing.sizeBytes)
  return {
    url: `${framing.transport}://127.0.0.1:${port}`,
    port,
    log,
    [Symbol.asyncDispose]: async () => {
      behaviour.stop()
      await close()
    },
  }
}

type Client = (socket?: Socket, connection?: number) => (reply: () => void) => void
interface Listening {
  port: number
  close: () => Promise<void>
}
interface Closable {
  address(): unknown
  close(): unknown
}

/** On a free port; going out of scope it closes every connection. */
async function listening(server: Closable, sockets: Set<Socket>): Promise<Listening> {
  const { port } = server.address() as AddressInfo
  const close = async () => {
    // A client of tls that leaves in the middle may stay with it; that is not waited for.
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { port, close }
}

/** Messages of a fixed size in a stream. */
function serveStream(socket: Socket, onMessage: (reply: () => void) => void, sizeBytes: number) {
  let pending: Buffer = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    let at = 0
    for (; at + sizeBytes <= pending.length; at += sizeBytes) {
      const message = pending.subarray(at, at + sizeBytes)
      onMessage(() => void (socket.writable && socket.write(message)))
    }
    pending = pending.subarray(at)
  })
  socket.on('end', () => socket.end())
}

const listeners: Record<
  Framing['transport'],
  (client: Client, sizeBytes: number) => Promise<Listening>
> = {
  async tcp(client, sizeBytes) {
    const sockets = new Set<Socket>()
    const server = createServer({ noDelay: true, allowHalfOpen: true }, socket => {
      sockets.add(socket)
      serveStream(socket, client(socket), sizeBytes)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return listening(server, sockets)
  },
  async tls(client, sizeBytes) {
    const sockets = new Set<Socket>()
    const options = { cert: pem('server.pem'), key: pem('server.key'), minVersion: 'TLSv1.3' }
    const server = createTls({ ...options, allowHalfOpen: true } as never, socket => {
      sockets.add(socket.setNoDelay())
      serveStream(socket, client(socket), sizeBytes)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return listening(server, sockets)
  },
  async ws(client) {
    const sockets = new Set<Socket>()
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    server.on('connection', (socket, { socket: below }) => {
      sockets.add(below.setNoDelay())
      const onMessage = client(below)
      socket.on('error', () => {})
      socket.on('message', (data: Buffer, binary) => {
        onMessage(() => socket.send(data, { binary }))
      })
    })
    await once(server, 'listening')
    return listening(server, sockets)
  },
  async http(client) {
    const sockets = new Set<Socket>()
    const clients = new Map<Socket, ReturnType<Client>>()
    const server = createHttp({ noDelay: true }, (request, response) => {
      const { socket } = request
      sockets.add(socket)
      if (!clients.has(socket)) clients.set(socket, client(socket))
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('error', () => {})
      request.on('end', () => {
        const body = Buffer.concat(chunks)
        const reply = () => {
          response.writeHead(200, { 'content-length': body.length })
          response.end(body)
        }
        clients.get(socket)!(reply)
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return listening(server, sockets)
  },
  async udp(client) {
    const clients = new Map<number, ReturnType<Client>>()
    const server = createSocket('udp4')
    server.on('message', (message, { port, address }) => {
      if (!clients.has(port)) clients.set(port, client(undefined, port))
      clients.get(port)!(() => server.send(message, port, address))
    })
    await once(server.bind(0, '127.0.0.1'), 'listening')
    return listening(server, new Set())
  },
}
