/**
 * Small proxies of datagrams, each broken in one way, as a function and as a program:
 *
 *     node build/test/lab/datagram-relay.js KIND HOST PORT LISTEN-PORT LISTEN-HOST
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { pathToFileURL } from 'node:url'

type Send = (bytes: Buffer) => void

/** What becomes of the n-th answer. */
type Behaviour = (bytes: Buffer, n: number, send: Send) => void

/** One datagram in this many is treated specially. */
const every = 10

let held: Buffer | undefined

export const datagramBehaviours = {
  clean: (bytes, _, send) => send(bytes),
  duplicates: (bytes, n, send) => {
    send(bytes)
    if (n % every === 0) send(bytes)
  },
  /** Behind the next one; if none follows, it comes late. */
  reorders: (bytes, n, send) => {
    const last = held
    held = undefined
    if (n % every === 0 && !last) {
      held = bytes
      setTimeout(() => {
        if (held === bytes) send(bytes)
        if (held === bytes) held = undefined
      }, 50)
    } else send(bytes)
    if (last) send(last)
  },
  corrupts: (bytes, n, send) => {
    const copy = Buffer.from(bytes)
    if (n % every === 0 && copy.length > 0) copy[copy.length - 1]! ^= 1
    send(copy)
  },
  'cuts off at 512': (bytes, _, send) => send(bytes.subarray(0, 512)),
  'drops the rest after 100': (bytes, n, send) => {
    if (n < 100) send(bytes)
  },
} satisfies Record<string, Behaviour>

export type DatagramRelayKind = keyof typeof datagramBehaviours

export interface DatagramRelay extends AsyncDisposable {
  port: number
}

const socketFor = (host: string): Socket => createSocket(isIPv6(host) ? 'udp6' : 'udp4')

export async function datagramRelay(
  kind: DatagramRelayKind,
  target: { host: string; port: number },
  listen: { port?: number; host?: string } = {},
): Promise<DatagramRelay> {
  const behaviour: Behaviour = datagramBehaviours[kind]
  const host = listen.host ?? '127.0.0.1'
  const front = socketFor(host)
  const backs = new Map<string, Socket>()
  let count = 0
  front.on('message', (bytes, { address, port }) => {
    const key = `${address} ${port}`
    let back = backs.get(key)
    if (!back) {
      back = socketFor(target.host)
      backs.set(key, back)
      back.on('message', answer =>
        behaviour(answer, count++, sent => front.send(sent, port, address)),
      )
    }
    back.send(bytes, target.port, target.host)
  })
  front.bind(listen.port ?? 0, host)
  await once(front, 'listening')
  return {
    port: front.address().port,
    async [Symbol.asyncDispose]() {
      for (const socket of [front, ...backs.values()]) socket.close()
      await once(front, 'close')
    },
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [kind, host, port, listenPort, listenHost] = process.argv.slice(2)
  const target = { host: host!, port: Number(port) }
  // On all addresses the system would choose the source of an answer.
  const listen = { port: Number(listenPort), host: listenHost! }
  await datagramRelay(kind as DatagramRelayKind, target, listen)
}
