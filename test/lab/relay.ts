/**
 * Small proxies, each broken in one way, as a function and as a program:
 *
 *     node build/test/lab/relay.js KIND HOST PORT LISTEN-PORT
 */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { pathToFileURL } from 'node:url'

type Change = (bytes: Buffer) => Buffer

/** What a relay does with a client, and with its connection to the server. */
type Behaviour = (client: Socket, server: Socket) => void

/** Passes on what comes, and then the FIN. */
function forward(from: Socket, to: Socket, change: Change = bytes => bytes) {
  copy(from, to, change)
  from.once('end', () => to.end())
}

/** Passes on what comes, but no FIN. */
function copy(from: Socket, to: Socket, change: Change = bytes => bytes) {
  from.on('data', (bytes: Buffer) => {
    if (to.destroyed || to.write(change(bytes))) return
    from.pause()
    to.once('drain', () => from.resume())
  })
}

const both =
  (up?: Change, down?: Change): Behaviour =>
  (client, server) => {
    forward(client, server, up)
    forward(server, client, down)
  }

/** Passes on what comes, and does this when the client has sent its FIN. */
const uponFin =
  (act: Behaviour): Behaviour =>
  (client, server) => {
    copy(client, server)
    forward(server, client)
    client.once('end', () => act(client, server))
  }

const without = (byte: number) => (bytes: Buffer) => bytes.filter(each => each !== byte) as Buffer

/** Holds what the server says until it has been silent for this long. */
const lumps =
  (quietMs: number): Behaviour =>
  (client, server) => {
    forward(client, server)
    let held: Buffer[] = []
    let timer: NodeJS.Timeout | undefined
    const pass = () => {
      if (!client.destroyed) client.write(Buffer.concat(held))
      held = []
    }
    server.on('data', (bytes: Buffer) => {
      held.push(bytes)
      clearTimeout(timer)
      timer = setTimeout(pass, quietMs)
    })
    server.once('end', () => {
      clearTimeout(timer)
      pass()
      client.end()
    })
  }

/** Sends each piece as a header and a body, and does not switch off Nagle's algorithm. */
const inTwoWrites: Behaviour = (client, server) => {
  forward(client, server)
  client.setNoDelay(false)
  const parts: Buffer[] = []
  // Each in a turn of its own, or they would be one write.
  const next = () => {
    const part = parts.shift()
    if (!part || client.destroyed) return
    client.write(part)
    if (parts.length > 0) setImmediate(next)
    else if (server.readableEnded) client.end()
  }
  server.on('data', (bytes: Buffer) => {
    parts.push(bytes.subarray(0, 1), bytes.subarray(1))
    if (parts.length === 2) setImmediate(next)
  })
  server.once('end', () => parts.length > 0 || client.end())
}

/** What looks like a protocol that is not welcome is reset. */
const suspicious: Behaviour = (client, server) => {
  forward(server, client)
  client.on('data', (bytes: Buffer) => {
    const text = bytes.subarray(0, 4).toString('latin1')
    if (/^(GET |POST|HEAD|PRI )/.test(text) || text.startsWith('')) client.resetAndDestroy()
    else server.write(bytes)
  })
  client.once('end', () => server.end())
}

/** Takes no more than this many bytes from a client, and says nothing about it. */
const swallowsBeyond =
  (limit: number): Behaviour =>
  (client, server) => {
    let left = limit
    forward(server, client)
    client.on('data', (bytes: Buffer) => {
      if (left > 0) server.write(bytes.subarray(0, left))
      left -= bytes.length
    })
    client.once('end', () => server.end())
  }

/** Ends a connection that says nothing for this long. */
const impatient =
  (quietMs: number, how: (client: Socket) => void): Behaviour =>
  (client, server) => {
    both()(client, server)
    client.setTimeout(quietMs, () => {
      how(client)
      server.destroy()
    })
  }

export const behaviours = {
  clean: both(),
  'without IAC': both(without(0xff)),
  'without NUL': both(without(0)),
  'seven bits': both(bytes => Buffer.from(bytes.map(byte => byte & 0x7f))),
  'line ends': both(undefined, bytes =>
    Buffer.from(bytes.toString('latin1').replaceAll('\n', '\r\n'), 'latin1'),
  ),
  banner: (client, server) => {
    client.write('220 gateway ready\r\n')
    both()(client, server)
  },
  'hangs up on FIN': uponFin((client, server) => {
    client.end()
    client.destroySoon()
    server.destroy()
  }),
  'swallows FIN': uponFin(() => {}),
  'resets on FIN': uponFin(client => client.resetAndDestroy()),
  'late FIN': uponFin((_, server) => void setTimeout(() => server.end(), 600)),
  lumps: lumps(200),
  'two writes': inTwoWrites,
  suspicious,
  'swallows beyond 100 kB': swallowsBeyond(100_000),
  'ends after 1 s': impatient(1_000, client => client.end()),
  'resets after 1 s': impatient(1_000, client => client.resetAndDestroy()),
} satisfies Record<string, Behaviour>

export type RelayKind = keyof typeof behaviours

export interface Relay extends AsyncDisposable {
  port: number
}

/** A proxy of this kind in front of the server, once it listens. */
export async function relay(
  kind: RelayKind,
  target: { host: string; port: number },
  listen: { port?: number; host?: string } = {},
): Promise<Relay> {
  const open = new Set<Socket>()
  const behaviour: Behaviour = behaviours[kind]
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, client => {
    const server = connect({ ...target, allowHalfOpen: true, noDelay: true })
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      open.add(one)
      // What breaks on one side is broken on the other.
      one.on('error', () => other.destroy())
      one.on('close', hadError => {
        open.delete(one)
        if (hadError) other.destroy()
      })
    }
    behaviour(client, server)
  })
  listener.listen(listen.port ?? 0, listen.host ?? '127.0.0.1')
  await once(listener, 'listening')
  return {
    port: (listener.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      listener.close()
      await once(listener, 'close')
    },
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [kind, host, port, listenPort] = process.argv.slice(2)
  const target = { host: host!, port: Number(port) }
  await relay(kind as RelayKind, target, { port: Number(listenPort), host: '::' })
}
