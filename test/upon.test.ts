/** What fails on top of a connection leaves none behind, on any transport. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { test } from 'node:test'
import { connect, serve, type Address, type ConnectOptions } from 'yodel'
import { onlyFull } from './full.ts'
import { listen } from './peers/server.ts'
import { portOf } from './program.ts'

/** Throws as soon as a layer looks at it, which is when the layer below is connected. */
const fail = () => {
  throw new TypeError('rubbish')
}
const rubbish = { toString: fail, replace: fail } as unknown as string

const h2 = { tls: { alpn: ['h2'] } }
const oneRequest = { http: { oneRequest: true } }
const insecure = { tls: { insecure: true } }
type Target = Pick<Extract<Address, { port: number }>, 'transport' | 'resource'>
const rows: [what: string, Target, ConnectOptions['calling']][] = [
  ['tls', { transport: 'tls' }, { tls: { serverName: rubbish } }],
  ['ws', { transport: 'ws', resource: '/#refused-by-the-client' }, {}],
  ['wss', { transport: 'wss', resource: '/#refused-by-the-client' }, insecure],
  ['http', { transport: 'http', resource: rubbish }, {}],
  ['http, one request', { transport: 'http', resource: rubbish }, oneRequest],
  ['h2c, one request', { transport: 'http', resource: rubbish }, { ...h2, ...oneRequest }],
  ['https', { transport: 'https', resource: rubbish }, insecure],
]

for (const [what, target, calling] of rows) {
  // The others are those together, or dial alike.
  const skip = !['tls', 'ws', 'h2c, one request'].includes(what) && onlyFull
  test(`a layer that throws hangs up below itself: ${what}`, { skip }, async () => {
    await using server = await serve(`${target.transport}://127.0.0.1:0`)
    // In between, to see the connection itself.
    await using between = await listen(socket => {
      const there = connectSocket(portOf(server.url), '127.0.0.1').on('error', () => {})
      socket
        .on('error', () => {})
        .pipe(there)
        .pipe(socket)
      socket.on('close', () => there.destroy())
    })
    const address = { ...target, host: '127.0.0.1', port: portOf(between.url) } as Address
    await assert.rejects(connect(address, calling ? { calling } : {}), /rubbish|fragment/)
    const client = await between.client
    if (!client.closed) await once(client, 'close')
  })
}

test('HTTP/2 that is hung up before it has begun', async () => {
  await using server = await serve('http://127.0.0.1:0')
  const connection = await connect(server.url, { calling: h2 })
  const closed = once(connection.stream, 'close')
  connection.stream.destroy()
  await closed
  // Node tells of the session in a later turn, which is where it broke.
  await new Promise(setImmediate)
})
