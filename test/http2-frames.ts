/** HTTP/2 by hand, for what no client would send. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { dial, dialTls } from './client.ts'

export const type = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, window: 8 }
export const flag = { ack: 1, endStream: 1, endHeaders: 4, padded: 8 }

/** A frame (RFC 9113 section 4.1). */
export function frame(kind: number, flags: number, stream: number, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = kind
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** What a client begins with, and empty settings. */
export const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(type.settings, 0, 0),
])

/** POST and GET http://x/ in HPACK (RFC 7541). */
export const post = Buffer.from('\x83\x86\x84\x41\x01x', 'latin1')
export const get = Buffer.from('\x82\x86\x84\x41\x01x', 'latin1')
/** A header that is not indexed; names and values of less than 127 bytes. */
export const header = (name: string, value: string): Buffer =>
  Buffer.from(
    `\0${String.fromCharCode(name.length)}${name}${String.fromCharCode(value.length)}${value}`,
    'latin1',
  )

export interface Frame {
  kind: number
  stream: number
  payload: Buffer
}

/** All that came, cut into frames. */
export function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let rest = bytes; rest.length >= 9;) {
    const end = 9 + rest.readUIntBE(0, 3)
    frames.push({ kind: rest[3]!, stream: rest.readUInt32BE(5), payload: rest.subarray(9, end) })
    rest = rest.subarray(end)
  }
  return frames
}

/** The code of the last GOAWAY, if one came. */
export const goawayOf = (bytes: Buffer): number | undefined =>
  framesOf(bytes)
    .findLast(({ kind }) => kind === type.goaway)
    ?.payload.readUInt32BE(4)

/** Over TLS: what is below it. */
const below = new WeakMap<Socket, Socket>()

/** In the clear with prior knowledge, or by ALPN. */
export async function dial2(port: number, secure: boolean): Promise<Socket> {
  const raw = await dial({ port })
  if (!secure) return raw
  const socket = await dialTls({ port }, { socket: raw, ALPNProtocols: ['h2'] })
  below.set(socket, raw)
  return socket
}

/** RST, at once. */
export const resetNow = (socket: Socket): Socket => (below.get(socket) ?? socket).resetAndDestroy()

/** What comes until the other side hangs up; hangs up then as well. */
export async function lastWords(socket: Socket): Promise<Buffer> {
  const came: Buffer[] = []
  socket.on('data', (data: Buffer) => came.push(data))
  socket.on('error', () => {})
  socket.once('end', () => socket.destroy())
  await once(socket, 'close')
  return Buffer.concat(came)
}
