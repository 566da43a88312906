/** A WebSocket for the question of ws: it sends any frame, and shows what is on the wire. */
import type { Socket } from 'node:net'
import type { ClientOptions, WebSocket } from 'ws'
import { formatAddress, withoutZone, type HostAddress } from '../vocabulary/address.ts'
import { peerText } from '../vocabulary/text.ts'
import { transports } from '../vocabulary/transport.ts'
import { dial } from '../engines/node/index.ts'
import { asObject, headersOf } from '../wire/http/headers.ts'
import { attributeWire, type Attribution } from './attribution.ts'
import { streamFor } from './below.ts'
import type { Account } from './control.ts'
import type { Scene } from './scene.ts'

/** What is known of a connection from its upgrade. */
interface Begun {
  raw: Socket
  local: string
  openedAt: number
  sent: number
  came: number
}
const begun = new WeakMap<WebSocket, Begun>()

/** Opens a client of the package ws, without compression, so that any frame can be sent. */
export function openWs(
  scene: Scene,
  options: ClientOptions,
  protocols: string[] = [],
): Promise<WebSocket> {
  return scene.adopt(
    async () => {
      // Loaded only when it is needed: the library exports check, and most checks need no ws.
      const { WebSocket } = await import('ws')
      const { host, ...rest } = scene.address as HostAddress
      const url = formatAddress({ ...rest, host: withoutZone(host) })
      const below = await dial(streamFor('http/1.1', scene), 2 * scene.silenceMs)
      return new Promise((resolve, reject) => {
        const socket = new WebSocket(url, protocols, {
          perMessageDeflate: false,
          handshakeTimeout: 2 * scene.silenceMs,
          ...options,
          headers: { ...asObject(headersOf(scene.calling)), ...options.headers },
          // The stream is connected, and TLS is done if there is any.
          createConnection: () => below.stream as Socket,
        })
        const fail = (error: Error) => {
          below.stream.destroy()
          reject(error)
        }
        socket.once('error', fail)
        socket.once('open', () => {
          socket.off('error', fail).on('error', () => {})
          const { _socket: raw } = socket as unknown as { _socket: Socket }
          const local = peerText(raw.localAddress, raw.localPort)
          const { bytesWritten: sent, bytesRead: came } = raw
          begun.set(socket, { raw, local, openedAt: Date.now(), sent, came })
          resolve(socket)
        })
      })
    },
    socket => socket.terminate(),
    // Not once() of events: an error of the socket would reject it, and is judged elsewhere.
    socket => new Promise(resolve => socket.once('close', resolve)),
  )
}

/** The address of this end. */
export const localOf = (socket: WebSocket): string => begun.get(socket)?.local ?? ''

/** What the other end saw of the connection; undefined if it does not say. */
export async function accountOf(scene: Scene, socket: WebSocket): Promise<Account | undefined> {
  const own = begun.get(socket)
  return own && (await scene.accountOf(own))
}

/**
 * In which direction the connection went wrong; undefined with TLS, where the two sides count
 * different bytes.
 */
export async function witnessOf(scene: Scene, socket: WebSocket): Promise<Attribution | undefined> {
  const own = begun.get(socket)
  const { secure } = transports[scene.address.transport]
  const account = secure ? undefined : await accountOf(scene, socket)
  if (!own || !account) return undefined
  const [sent, came] = [own.raw.bytesWritten - own.sent, own.raw.bytesRead - own.came]
  return attributeWire({ sent, came }, account)
}
