/** HTTP/2 clients that leave in the midst, break the rules, or ask for more than they take. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import type { Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { serve, type Server } from 'yodel'
import { until } from './client.ts'
import { onlyFull, short } from './full.ts'
import {
  dial2,
  flag,
  frame,
  framesOf,
  get,
  goawayOf,
  header,
  lastWords,
  post,
  preface,
  resetNow,
  type,
} from './http2-frames.ts'
import { portOf, yodelServe } from './program.ts'

const { endHeaders, endStream } = flag
const whole = endHeaders | endStream
const u32 = (...values: number[]) => Buffer.from(values.flatMap(value => [0, 0, 0, value]))
const opened = (stream: number) => frame(type.headers, endHeaders, stream, post)
const asked = (stream: number, path = '/?delay=60s') =>
  frame(
    type.headers,
    whole,
    stream,
    Buffer.concat([Buffer.from('\x82\x86\x41\x01x', 'latin1'), header(':path', path)]),
  )

const addressOf = (secure: boolean) => `${secure ? 'https' : 'http'}://127.0.0.1:0`
const faults = [{ kind: 'hang', afterBytes: 1000 } as const]

async function begin({ address }: Server, secure: boolean, frames: Buffer[]): Promise<Socket> {
  const socket = await dial2((address as { port: number }).port, secure)
  socket.on('error', () => {}).write(Buffer.concat([preface, ...frames]))
  return socket
}

/** What breaks a connection (RFC 9113 section 5.4.1), whether Node reports it or not. */
const broken: [code: number, name: string, ...frames: Buffer[]][] = [
  [9, 'an index that is in no table', frame(type.headers, whole, 1, Buffer.from([0xc0]))],
  [1, 'a stream of the server', frame(type.headers, whole, 2, get)],
  [1, 'data on no stream', frame(type.data, 0, 0, u32(1))],
  [6, 'settings of three bytes', frame(type.settings, 0, 0, Buffer.from('abc'))],
  [6, 'a ping of one byte', frame(type.ping, 0, 0, Buffer.from('a'))],
  [6, 'a frame that is too large', opened(1), frame(type.data, 0, 1, Buffer.alloc(16_385))],
  [1, 'an answer to no ping', frame(type.ping, flag.ack, 0, Buffer.alloc(8))],
  [1, 'no room for nothing', frame(type.window, 0, 0, u32(0))],
  [1, 'a header within another', frame(type.headers, 0, 1, get), frame(type.ping, 0, 0)],
  [1, 'more padding than frame', opened(1), frame(type.data, flag.padded, 1, Buffer.from([9, 9]))],
  [6, 'a request in HTTP/1.1', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
]

for (const secure of short([false, true], [true]))
  describe(`HTTP/2 over ${secure ? 'TLS' : 'TCP'}`, () => {
    let server: Server
    before(async () => (server = await serve(addressOf(secure), { faults })))
    after(() => server.close('now'))

    test('that breaks the rules is closed after GOAWAY, and counted once', async t => {
      const { protocol } = server.counts()
      const closes = broken.map(async ([code, name, ...frames]) => {
        const said = goawayOf(await lastWords(await begin(server, secure, frames)))
        // Node may forget its GOAWAY over TLS, and says INTERNAL_ERROR where it has no better name.
        if (said === undefined) t.diagnostic(`${name}: no GOAWAY`)
        else assert.ok([code, 2].includes(said), `${name}: ${said}`)
      })
      await Promise.all(closes)
      await until(() => server.counts().open === 0)
      assert.equal(server.counts().protocol - protocol, broken.length)
    })

    const body = frame(type.data, endStream, 1, Buffer.alloc(2_000))
    const requests = [[asked(1)], [opened(1)], [opened(1), body], []]
    const leaves: [name: string, leave: (socket: Socket) => void][] = [
      ['FIN', socket => socket.destroy()],
      ['RST', socket => resetNow(socket)],
    ]
    test('that leaves is released, whatever its streams wait for', async () => {
      const { protocol } = server.counts()
      for (const [name, leave] of leaves) {
        const clients = requests.map(async frames => {
          const socket = await begin(server, secure, frames)
          await once(socket, 'data')
          leave(socket)
        })
        await Promise.all(clients)
        await until(() => server.counts().open === 0)
        assert.equal(server.counts().protocol, protocol, name)
      }
    })

    test('that is over makes room for the next one', async () => {
      await using single = await serve(addressOf(secure), { concurrency: 1, faults })
      for (const frames of [
        [opened(1), body],
        [opened(1), frame(type.window, 0, 0, u32(0))],
        [frame(type.ping, 0, 0, Buffer.from('a'))],
        [frame(type.headers, whole, 1, get)],
      ]) {
        const socket = await begin(single, secure, frames)
        await once(socket, 'data')
        socket.destroy()
      }
    })

    test('that says FIN and waits gets its answers', async () => {
      const socket = await begin(server, secure, [asked(1, '/?delay=700ms')])
      socket.end()
      const heads = framesOf(await lastWords(socket)).filter(({ kind }) => kind === type.headers)
      assert.equal(heads.length, 1)
    })
  })

const byServer = 'streams that the server has to reset'
/** Frames of the n-th stream, of which none is answered in the end. */
const resets: [name: string, frames: (stream: number) => Buffer[]][] = [
  ['bodies', n => [opened(n), frame(type.reset, 0, n, u32(8))]],
  ['requests', n => [frame(type.headers, whole, n, get), frame(type.reset, 0, n, u32(8))]],
  ['delayed requests', n => [asked(n), frame(type.reset, 0, n, u32(8))]],
  ['requests, as if nothing was', n => [asked(n), frame(type.reset, 0, n, u32(0))]],
  [
    byServer,
    n => [
      frame(type.headers, endHeaders, n, Buffer.concat([post, header('content-length', '9')])),
      frame(type.data, endStream, n, u32(1)),
    ],
  ],
]

for (const secure of short([false, true], [false]))
  test(`of a flood over ${secure ? 'TLS' : 'TCP'} a bound is kept`, async () => {
    await using server = await serve(addressOf(secure), { faults })
    const kinds = short(resets, resets.slice(0, 2))
    const floods = kinds.map(async ([name, frames]) => {
      const all = Array.from({ length: 250 }, (_, n) => frames(2 * n + 1)).flat()
      const code = goawayOf(await lastWords(await begin(server, secure, all)))
      // Node bounds the last of them itself, by 100 a connection, and may forget to say so.
      assert.ok(code === 11 || (name === byServer && code !== 0), `${name}: ${code}`)
    })
    await Promise.all(floods)
    await until(() => server.counts().open === 0)
    assert.equal(server.counts().protocol, kinds.length)
  })

const skip = process.platform === 'linux' ? onlyFull : 'reads /proc, which only Linux has'
test('misuse of HTTP/2 leaves no descriptor, and does not hold SIGTERM', { skip }, async t => {
  for (const secure of [false, true]) {
    // A client that could hold up SIGTERM would do so for longer than the runner waits.
    const { program, url } = await yodelServe(
      addressOf(secure),
      '--drain',
      '10m',
      '--fault',
      'hang',
    )
    await using _ = program
    const count = () => readdirSync(`/proc/${program.child.pid}/fd`).length
    const visit = async (...frames: Buffer[]) => {
      const socket = await dial2(portOf(url), secure)
      socket.on('error', () => {}).write(Buffer.concat([preface, ...frames]))
      await once(socket, 'data')
      return socket
    }
    const before = count()
    for (let n = 0; n < 5; n++) {
      ;(await visit(asked(1))).destroy()
      resetNow(await visit(opened(1)))
      const rude = await visit(frame(type.ping, 0, 0, Buffer.from('a')))
      rude.once('end', () => rude.destroy()).resume()
    }
    await until(() => count() <= before)
    t.diagnostic(`${url}: ${before} descriptors before, ${count()} after`)
    const rude = await visit(opened(1), frame(type.ping, 0, 0, Buffer.from('a')))
    rude.once('end', () => rude.end()).resume()
    program.kill()
    assert.equal((await program.finished).code, 0)
    rude.destroy()
  }
})
