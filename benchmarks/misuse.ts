/**
 * Clients that do what no client should, for each transport. None of them may cost the server a
 * descriptor for longer than it needs to notice. Where a transport does not have a kind of misuse,
 * a sentence says why.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import * as tls from 'node:tls'
import type { Address } from 'yodel'
import type * as Transports from '../src/vocabulary/transport.ts'

/** The table of transports is no part of the library. */
const table = new URL('../../dist/vocabulary/transport.js', import.meta.url).href
export const { transports, transportNames } = (await import(table)) as typeof Transports
type Protocol = (typeof transports)[Address['transport']]['protocol']

export const misuseNames = [
  'leaves with a stream open',
  'bad frame',
  'early RST',
  'half handshake',
  'half request',
  'silent',
  'garbage',
] as const
export type MisuseName = (typeof misuseNames)[number]

/** How a client leaves: it closes, it resets, or it waits until the server closes. */
export type Parting = 'closes' | 'resets' | 'stays'

/** Resolves when the client is gone. */
export type Misuse = (where: NetConnectOpts, parting: Parting) => Promise<void>
/** Each misuse, or why there is no such thing. */
export type Misuses = Record<MisuseName, Misuse | string>

/** What a client speaks over, and what it is made of. */
interface Line {
  stream: Duplex
  raw: Socket
}
type Open = (where: NetConnectOpts) => Promise<Line>

/** Or it breaks or closes: a busy server may have taken a client for slow, which is gone then. */
async function happens(stream: Duplex, event: string): Promise<void> {
  if (stream.closed) return
  const over = new AbortController()
  const { signal } = over
  const either = [event, 'close'].map(each => once(stream, each, { signal }))
  await Promise.race(either).catch(() => {})
  over.abort()
  await Promise.allSettled(either)
}

async function plain(where: NetConnectOpts): Promise<Line> {
  const raw = connect(where)
  raw.on('error', () => {})
  await once(raw, 'connect')
  return { stream: raw, raw }
}

const secure =
  (...ALPNProtocols: string[]): Open =>
  async where => {
    const { raw } = await plain(where)
    const stream = tls.connect({
      socket: raw,
      rejectUnauthorized: false,
      ...(ALPNProtocols.length > 0 && { ALPNProtocols }),
    })
    stream.on('error', () => {})
    await happens(stream, 'secureConnect')
    return { stream, raw }
  }

/** The first record of a client of TLS. */
export const clientHello: Promise<Buffer> = new Promise(resolve => {
  const line = new Duplex({
    read() {},
    write(chunk: Buffer, _, done) {
      resolve(chunk)
      done()
    },
  })
  tls.connect({ socket: line }).on('error', () => {})
})

/** A unix socket has no RST: it just goes, and what it has not read says the rest. */
async function part({ stream, raw }: Line, parting: Parting): Promise<void> {
  const gone = happens(raw, 'close')
  if (parting === 'stays') stream.resume()
  else if (parting === 'resets' && raw.remoteAddress !== undefined) raw.resetAndDestroy()
  else raw.destroy()
  await gone
}

/** Says this, and goes; after something has come for it, if it `hears`. */
const says =
  (open: Open, bytes: () => Uint8Array | string | Promise<Buffer>, hears = false): Misuse =>
  async (where, parting) => {
    const line = await open(where)
    line.stream.write(await bytes())
    // A server that hangs says nothing.
    if (hears && parting !== 'resets') await happens(line.stream, 'readable')
    await part(line, parting)
  }

/** Where silence has no time limit the server keeps a silent client, so that one closes itself. */
const leaves =
  (misuse: Misuse): Misuse =>
  (where, parting) =>
    misuse(where, parting === 'stays' ? 'closes' : parting)

const much = Buffer.alloc(100_000, 'much ')
const garbage = () => randomBytes(1 + Math.floor(Math.random() * 500))

const bytes = (open: Open): Misuses => ({
  'leaves with a stream open': leaves(says(open, () => Buffer.alloc(300_000), true)),
  'bad frame': 'a stream of bytes has no frames',
  'early RST': where => says(open, () => much)(where, 'resets'),
  'half handshake': 'there is no handshake',
  'half request': 'there are no requests',
  silent: leaves(says(open, () => '')),
  garbage: leaves(says(open, garbage)),
})

const text = (...lines: string[]) => `${lines.join('\r\n')}\r\n`
const upgrade = text(
  'GET / HTTP/1.1',
  'Host: x',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '',
)

const upgraded =
  (open: Open): Open =>
  async where => {
    const line = await open(where)
    line.stream.write(upgrade)
    await happens(line.stream, 'readable')
    line.stream.read()
    return line
  }

/** A frame of a client (RFC 6455 section 5.2); a mask of zeros changes nothing. */
const frame = (first: number, payload: Buffer, length = payload.length) => {
  const header = Buffer.alloc(8)
  header[0] = first
  header[1] = 0x80 | 126
  header.writeUInt16BE(length, 2)
  return Buffer.concat([header, payload])
}

const messages = (open: Open): Misuses => {
  const inside = upgraded(open)
  return {
    'leaves with a stream open': leaves(says(inside, () => frame(0x02, Buffer.alloc(40_000)))),
    'bad frame': says(inside, () => frame(0x83, Buffer.alloc(200)), true),
    'early RST': where => says(inside, () => frame(0x82, Buffer.alloc(60_000)))(where, 'resets'),
    'half handshake': says(open, () => upgrade.slice(0, 60)),
    'half request': leaves(says(inside, () => frame(0x82, Buffer.alloc(10), 1_000))),
    silent: leaves(says(inside, () => '')),
    garbage: says(open, garbage),
  }
}

const requests1 = (open: Open): Misuses => {
  const post = (header: string) => text('POST / HTTP/1.1', 'Host: x', header, '')
  const chunked = post('Transfer-Encoding: chunked')
  return {
    'leaves with a stream open': leaves(
      says(open, () => post('Content-Length: 1000000') + 'much '.repeat(20_000), true),
    ),
    'bad frame': says(open, () => `${chunked}5\r\nhello\r\nnone\r\n`, true),
    'early RST': where => says(open, () => post('Content-Length: 5') + 'hello')(where, 'resets'),
    'half handshake': 'HTTP/1.1 has no handshake of its own',
    'half request': says(open, () => chunked.slice(0, 30)),
    silent: leaves(says(open, () => '')),
    garbage: says(open, () => `\0${garbage().toString('latin1')}\r\n\r\n`),
  }
}

/** What a client of HTTP/2 begins with, and frames of it (RFC 9113). */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const frame2 = (type: number, flags: number, stream: number, payload = Buffer.alloc(0)) => {
  const header = Buffer.alloc(9)
  header.writeUIntBE(payload.length, 0, 3)
  header[3] = type
  header[4] = flags
  header.writeUInt32BE(stream, 5)
  return Buffer.concat([header, payload])
}
const begun = Buffer.concat([preface, frame2(4, 0, 0)])
/** POST / with the authority x, without its end. */
const post2 = frame2(1, 4, 1, Buffer.from('\x83\x84\x87\x41\x01x', 'latin1'))

const requests2 = (open: Open): Misuses => ({
  'leaves with a stream open': leaves(
    says(open, () => Buffer.concat([begun, post2, frame2(0, 0, 1, Buffer.alloc(9_000))]), true),
  ),
  // A block of headers that no table has (section 5.4.1: the server must close).
  'bad frame': says(open, () => Buffer.concat([begun, frame2(1, 5, 1, Buffer.of(0xc0))]), true),
  'early RST': where =>
    says(open, () => Buffer.concat([begun, post2, frame2(0, 1, 1, Buffer.alloc(9_000))]))(
      where,
      'resets',
    ),
  'half handshake': says(open, () => preface.subarray(0, 10)),
  'half request': leaves(
    says(open, () => Buffer.concat([begun, frame2(1, 0, 1, Buffer.of(0x83))])),
  ),
  silent: leaves(says(open, () => begun)),
  garbage: says(open, () => Buffer.concat([begun, Buffer.alloc(9, 0xff), garbage()])),
})

/** What is spoken within TLS is misused as without it; and TLS itself. */
const behindTls = (inner: Misuses): Misuses => ({
  ...inner,
  'half handshake': says(plain, async () => (await clientHello).subarray(0, 100)),
  silent: says(plain, () => ''),
})

const brokenRecord: Misuse = async (where, parting) => {
  const line = await secure()(where)
  line.raw.write(Buffer.concat([Buffer.of(23, 3, 3, 0, 40), randomBytes(40)]))
  await part(line, parting)
}

/** What is misused, by what is spoken; `open` connects, with TLS if the transport has it. */
const spoken: Record<Protocol, (open: (...alpn: string[]) => Open) => Record<string, Misuses>> = {
  plain: open => ({ bytes: bytes(open()) }),
  ws: open => ({ messages: messages(open()) }),
  http: open => ({
    'HTTP/1.1': requests1(open('http/1.1')),
    'HTTP/2': requests2(open('h2')),
  }),
}

function misusesOf(name: Address['transport']): Record<string, Misuses> {
  const transport = transports[name]
  // There are no connections: what is sent costs no descriptor (see udp.test.ts for the rest).
  if (transport.carries === 'datagrams') return {}
  if (!transport.secure) return spoken[transport.protocol](() => plain)
  const broken = transport.protocol === 'plain' && { 'bad frame': brokenRecord }
  return Object.fromEntries(
    Object.entries(spoken[transport.protocol](secure)).map(([what, inner]) => [
      what,
      { ...behindTls(inner), ...broken },
    ]),
  )
}

/** For each transport, and for each thing that is spoken there. */
export const misuses = Object.fromEntries(
  transportNames.map(name => [name, misusesOf(name)]),
) as Record<Address['transport'], Record<string, Misuses>>
