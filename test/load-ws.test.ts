/** Loads over ws and wss, by each engine: what is sent, and how bad servers are told. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { describe, test } from 'node:test'
import { WebSocketServer, type WebSocket } from 'ws'
import { bench, type BenchOptions, type RunResult } from 'yodel'
import { pem } from './certificates.ts'
import { onlyFull, short } from './full.ts'
import { loadRefusal } from './refusal.ts'

type Scheme = 'ws' | 'wss'

/** How a load is sent. */
interface Way {
  engine: NonNullable<BenchOptions['engine']>
  scheme: Scheme
}

/** A hang is a failure. */
const timeout = 120_000

const identity = { cert: pem('server.pem'), key: pem('server.key') }

/** A server of the package `ws`; plain requests are answered by `onRequest`. */
async function listening(
  scheme: Scheme,
  answer: (socket: WebSocket, headers: Record<string, unknown>) => void,
  onRequest?: RequestListener,
) {
  const http = scheme === 'wss' ? createSecureServer(identity, onRequest) : createServer(onRequest)
  const server = new WebSocketServer(onRequest ? { noServer: true } : { server: http })
  server.on('connection', (socket, { headers }) =>
    answer(
      socket.on('error', () => {}),
      headers,
    ),
  )
  http.on('upgrade', (_, socket) => {
    if (onRequest) (socket as Socket).end('HTTP/1.1 404 Not Found\r\n\r\n')
  })
  await once(http.listen(0, '127.0.0.1'), 'listening')
  const url = `${scheme}://127.0.0.1:${(http.address() as AddressInfo).port}/any?path=1`
  const close = () => {
    for (const client of server.clients) client.terminate()
    http.close()
  }
  return { url, [Symbol.dispose]: close }
}

const echo = (socket: WebSocket) =>
  void socket.on('message', (data, binary) => socket.send(data, { binary }))

for (const engine of ['node', 'uring'] as const)
  for (const scheme of ['ws', 'wss'] as const) {
    // The node engine has tests of its own in ws-client.test and load-reasons.test.
    const skip = loadRefusal(engine, scheme) || (engine === 'node' && onlyFull)
    describe(`${engine} over ${scheme}`, { timeout, skip }, () => {
      const way = { engine, scheme }
      counts(way)
      fails(way)
      if (scheme === 'wss') believes(way)
    })
  }

/** Every day wss is shown where it differs: what frames mean is shown with ws. */
function daily(scheme: Scheme, isDaily: boolean) {
  return { skip: scheme === 'wss' && !isDaily && onlyFull }
}

function run(
  { engine, scheme }: Way,
  url: string,
  options: BenchOptions,
  tls: object = { ca: pem('ca.pem') },
): Promise<RunResult> {
  const calling = { ...options.calling, ...(scheme === 'wss' && { tls }) }
  const load = bench(url, { engine, warmupMs: 0, threads: 1, ...options, calling })
  // What goes wrong is told there, too.
  load.ready.catch(() => {})
  return load.finished
}

function counts(way: Way) {
  const { engine, scheme } = way
  const small = { minBytes: 1, maxBytes: 2_000, weight: 9 }
  const large = { minBytes: 60_000, maxBytes: 300_000, weight: 1 }
  const counted: BenchOptions[] = [
    { connections: 3, count: 61, depth: 16, sizeBytes: [small, large], idle: 2 },
    { connections: 2, count: 60, ratePerSecond: 2_000 },
    ...short([{ connections: 2, count: 7, sizeBytes: 3e6 }], []),
  ]
  for (const [n, options] of counted.entries())
    test(`a count is exact: ${JSON.stringify(options)}`, daily(scheme, n === 0), async () => {
      const closings: Promise<unknown[]>[] = []
      const seen: unknown[] = []
      using peer = await listening(scheme, (socket, headers) => {
        seen.push(headers['x-made-by'])
        echo(socket)
        socket.ping('between')
        closings.push(once(socket, 'close'))
      })
      const calling = { headers: ['X-Made-By: us'] }
      const result = await run(way, peer.url, { ...options, calling })
      const { verdict, messages, bytes } = result
      assert.equal(verdict, 'pass')
      assert.deepEqual([messages.sent, messages.received], [options.count, options.count])
      assert.equal(bytes.sent, bytes.received)
      assert.equal(result.run.engine, engine)
      const codes = (await Promise.all(closings)).map(([code]) => code)
      assert.ok(codes.filter(code => code === 1000).length >= options.connections!)
      assert.deepEqual(new Set(seen), new Set(['us']))
    })

  test('a server that reads late gets all of it', daily(scheme, true), async () => {
    using peer = await listening(scheme, socket => {
      socket.pause()
      setTimeout(() => socket.resume(), short(500, 100))
      echo(socket)
    })
    const options = { connections: 1, count: 20, depth: 20, sizeBytes: 300_000 }
    const { verdict, messages } = await run(way, peer.url, options)
    assert.deepEqual([verdict, messages.received], ['pass', 20])
  })

  test('a ping while a message is sent is answered behind it', daily(scheme, false), async () => {
    const pongs: string[] = []
    using peer = await listening(scheme, socket => {
      // More than the buffers of the system hold, so it is the message that waits.
      socket.pause()
      setTimeout(() => socket.ping('within'), 100)
      setTimeout(() => socket.resume(), 300)
      socket.on('pong', data => pongs.push(String(data)))
      echo(socket)
    })
    const patience = { timeoutMs: 60_000, drainMs: 60_000 }
    const options = { connections: 1, count: 1, sizeBytes: 16e6, ...patience }
    const result = await run(way, peer.url, options)
    assert.equal(result.verdict, 'pass', JSON.stringify(result.errors))
    assert.deepEqual(pongs, ['within'])
  })
}

function fails(way: Way) {
  const { scheme } = way
  const count = { connections: 1, count: 40 }
  const reasons: [string, (socket: WebSocket) => void, RegExp][] = [
    [
      'closes with a code',
      socket => socket.on('message', () => socket.close(1011, 'no more')),
      /closed with 1011: no more/,
    ],
    [
      'joins two messages',
      socket =>
        socket.once('message', one => {
          socket.once('message', two => socket.send(Buffer.concat([one as Buffer, two as Buffer])))
        }),
      /bounds/,
    ],
    [
      'changes a byte',
      socket =>
        socket.on('message', data => {
          ;(data as Buffer)[3]! ^= 1
          socket.send(data)
        }),
      /wrong/,
    ],
    [
      'breaks a rule',
      socket => {
        const { _socket: raw } = socket as unknown as { _socket: Socket }
        socket.on('message', () => raw.write(Buffer.of(0xf2, 0)))
      },
      /Invalid WebSocket frame|breaks the rules/,
    ],
    ['is cut off', socket => socket.terminate(), /closedEarly|reset/],
  ]
  for (const [name, answer, reason] of reasons)
    test(`a server that ${name} is told`, daily(scheme, name === 'is cut off'), async () => {
      using peer = await listening(scheme, answer)
      const result = await run(way, peer.url, { ...count, depth: 2, timeoutMs: 5_000 })
      assert.equal(result.verdict, 'fail')
      assert.match(JSON.stringify(result), reason)
    })

  test('a server that does not upgrade is told', async () => {
    using peer = await listening(scheme, echo, (_, response) => void response.writeHead(404).end())
    await assert.rejects(run(way, peer.url, count), /it answered with HTTP 404 Not Found\./)
  })
}

function believes(way: Way) {
  const count = { connections: 1, count: 4 }
  test('a server with a certificate of an unknown authority is told', async () => {
    using peer = await listening('wss', echo)
    const untrusted = /UNABLE_TO_VERIFY_LEAF|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER/
    await assert.rejects(run(way, peer.url, count, {}), untrusted)
  })

  test('a server without TLS is told', { skip: onlyFull }, async () => {
    using peer = await listening('ws', echo)
    await assert.rejects(
      run(way, peer.url.replace('ws:', 'wss:'), count),
      /not a TLS server|during the TLS handshake/,
    )
  })
}
