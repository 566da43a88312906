/** HTTP servers that close between messages, as they may: the client connects again. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { constants, createServer, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { describe, test } from 'node:test'
import { bench, connect, type BenchOptions } from 'yodel'
import { onlyFull } from './full.ts'
import { answer, listenHttp, type Exchange } from './peers/http-server.ts'
import { listen } from './peers/server.ts'

const h2 = { calling: { tls: { alpn: ['h2'] } } }
const brief: BenchOptions = { connections: 2, count: 40, warmupMs: 0, drainMs: 2_000 }

/** An answer that ends with its connection. */
function answerToTheEnd({ socket, body }: Exchange, version: string): void {
  socket.write(`HTTP/${version} 200 OK\r\n\r\n`)
  socket.end(body)
}

/** Servers by what they do; each closes after every fifth answer at the latest. */
const servers: Record<string, (exchange: Exchange) => void> = {
  'says Connection: close': exchange => {
    const isLast = exchange.request === 4
    answer(exchange, ...(isLast ? ['Connection: foo, Close'] : []))
    if (isLast) exchange.socket.end()
  },
  'says so, and waits for us to close': exchange => answer(exchange, 'Connection: close'),
  'ends the body with the connection': exchange => answerToTheEnd(exchange, '1.1'),
  'speaks HTTP/1.0': exchange => answerToTheEnd(exchange, '1.0'),
  'speaks HTTP/1.0 with a length': ({ socket, body }) => {
    socket.write(`HTTP/1.0 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`)
    socket.end(body)
  },
  'speaks HTTP/1.0 and keeps four of five alive': ({ socket, body, request }) => {
    const keep = request === 4 ? '' : 'Connection: keep-alive\r\n'
    socket.write(`HTTP/1.0 200 OK\r\nContent-Length: ${body.length}\r\n${keep}\r\n`)
    socket.write(body)
    if (keep === '') socket.end()
  },
  'hangs up without a word': exchange => {
    answer(exchange)
    if (exchange.request === 4) exchange.socket.end()
  },
  'leaves the sixth request unanswered': exchange => {
    if (exchange.request < 5) answer(exchange)
    else exchange.socket.end()
  },
  'answers the sixth request by a reset': exchange => {
    if (exchange.request < 5) answer(exchange)
    else exchange.socket.resetAndDestroy()
  },
  'answers the sixth request with 408': exchange => {
    if (exchange.request < 5) answer(exchange)
    else exchange.socket.end('HTTP/1.1 408 Too Slow\r\nConnection: close\r\n\r\n')
  },
}

/** The others are made of the same parts. */
const daily = ['says Connection: close', 'answers the sixth request by a reset']

describe('a load goes on, with the same stream, where a server of HTTP/1', () => {
  for (const [deed, onRequest] of Object.entries(servers))
    test(deed, { skip: !daily.includes(deed) && onlyFull }, async () => {
      await using server = await listenHttp(onRequest)
      const { verdict, messages, errors, failedBecause, http } = await bench(server.url, brief)
        .finished
      assert.deepEqual([verdict, failedBecause, messages.received], ['pass', [], 40])
      assert.equal(errors.closedEarly, 0)
      // The last server may close when all has been sent.
      assert.equal(http!.reconnects, server.connections() - 2)
      assert.ok(http!.reconnects >= 5)
      assert.equal(http!.reconnectUs.count, http!.reconnects)
      const isSilent = /sixth/.test(deed)
      if (isSilent) assert.equal(http!.sentAgain, http!.reconnects)
    })
})

test(
  'what was left unanswered still counts from its planned instant',
  { skip: onlyFull },
  async () => {
    const heldMs = 120
    await using server = await listenHttp(exchange => {
      if (exchange.request === 0) answer(exchange)
      else setTimeout(() => exchange.socket.end(), heldMs)
    })
    const options = { ...brief, connections: 1, count: 4, ratePerSecond: 2_000 }
    const { verdict, http, responseUs } = await bench(server.url, options).finished
    assert.deepEqual([verdict, http!.sentAgain], ['pass', 3])
    // Each but the first waited for those before it.
    assert.ok(responseUs.max! >= 3 * heldMs * 1e3 - 5e3, `${responseUs.max}`)
  },
)

describe('that is a failure: a server that', () => {
  test(
    'hangs up without answering anything, and is not called for ever',
    { skip: onlyFull },
    async () => {
      await using server = await listenHttp(({ socket }) => socket.end())
      const { failedBecause, http } = await bench(server.url, brief).finished
      assert.ok(failedBecause.includes('2 connections failed: closedEarly.'), failedBecause.join())
      assert.deepEqual([http!.reconnects, server.connections()], [0, 2])
    },
  )

  test('hangs up at once, again and again', { skip: onlyFull }, async () => {
    await using server = await listen(socket => socket.end())
    const { verdict, http } = await bench(server.url.replace('tcp', 'http'), brief).finished
    assert.equal(verdict, 'fail')
    assert.ok(http!.reconnects <= 2)
  })

  test('breaks an answer off', async () => {
    await using server = await listenHttp(exchange => {
      if (exchange.request < 5) answer(exchange)
      else exchange.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\nhalf')
    })
    const { failedBecause, http } = await bench(server.url, brief).finished
    assert.ok(failedBecause.includes('2 connections failed: closedEarly.'), failedBecause.join())
    assert.equal(http!.reconnects, 0)
  })

  test('is gone when it is called again', { skip: onlyFull }, async () => {
    await using server = await listenHttp(exchange => {
      answer(exchange, 'Connection: close')
      if (exchange.connection === 3) server.stop()
    })
    const { verdict, errors } = await bench(server.url, brief).finished
    assert.equal(verdict, 'fail')
    assert.ok(errors.refused >= 1, JSON.stringify(errors))
  })
})

test(
  'idle connections are there again after a server has hung up on them',
  { skip: onlyFull },
  async () => {
    await using server = await listenHttp(answer, (socket, connection) => {
      // As servers do that have waited long enough for a request.
      if (connection === 1) setTimeout(() => socket.end(), 1_100)
    })
    const options = { ...brief, connections: 1, idle: 1, count: Infinity, durationMs: 1_400 }
    const { verdict, http } = await bench(server.url, { ...options, ratePerSecond: 20 }).finished
    assert.deepEqual([verdict, http!.reconnects, server.connections()], ['pass', 1, 3])
  },
)

test('a caller calls again, whatever status it wants', async () => {
  for (const anyStatus of [false, true]) {
    await using server = await listenHttp(exchange => {
      answer(exchange, 'Connection: close')
      exchange.socket.end()
    })
    await using peer = await connect(server.url, { calling: { http: { anyStatus } } })
    for (const word of ['one', 'two', 'three'])
      assert.equal(Buffer.from((await peer.echo(word)).reply).toString(), word)
    assert.equal(server.connections(), 3)
  }
})

/** An echo of HTTP/2 that counts, and does what is wanted before it answers. */
async function listenHttp2(
  onRequest: (session: ServerHttp2Session, request: number) => 'answer' | 'ignore' | 'refuse',
  sockets = new WeakMap<ServerHttp2Session, Socket>(),
) {
  let connections = 0
  const requests = new WeakMap<ServerHttp2Session, number>()
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer()
  let latest: Socket
  // Before Node makes a session of it, which shows it no more.
  server.prependListener('connection', (socket: Socket) => (latest = socket))
  server.on('session', session => {
    connections++
    sessions.add(session)
    sockets.set(session, latest)
    session.on('error', () => {})
  })
  server.on('stream', stream => {
    const session = stream.session as ServerHttp2Session
    const request = requests.get(session) ?? 0
    requests.set(session, request + 1)
    stream.on('error', () => {})
    const deed = onRequest(session, request)
    if (deed === 'refuse') stream.close(constants.NGHTTP2_REFUSED_STREAM)
    if (deed !== 'answer') return
    stream.respond({ ':status': 200 })
    stream.pipe(stream)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const farewells: Record<string, (session: ServerHttp2Session, request: number) => 'answer'> = {
  'GOAWAY after every fifth': (session, request) => {
    if (request === 4) session.close()
    return 'answer'
  },
  'GOAWAY that leaves the newest streams unserved': (session, request) => {
    // Streams of a client have odd numbers (RFC 9113 section 5.1.1).
    if (request === 4) session.goaway(0, 9)
    return 'answer'
  },
}

describe('a load over HTTP/2 goes on after', () => {
  for (const [deed, onRequest] of Object.entries(farewells))
    for (const depth of [1, 12]) {
      const daily = depth > 1 && /unserved/.test(deed)
      test(`${deed}, with ${depth} in flight`, { skip: !daily && onlyFull }, async () => {
        await using server = await listenHttp2(onRequest)
        const { verdict, failedBecause, messages, http } = await bench(server.url, {
          ...brief,
          ...h2,
          depth,
        }).finished
        assert.deepEqual([verdict, failedBecause, messages.received], ['pass', [], 40])
        assert.ok(http!.reconnects >= 5, `${http!.reconnects}`)
        if (daily) assert.ok(http!.sentAgain > 0)
      })
    }

  test(
    'an end without GOAWAY, where something was answered before',
    { skip: onlyFull },
    async () => {
      const sockets = new WeakMap<ServerHttp2Session, Socket>()
      await using server = await listenHttp2((session, request) => {
        if (request < 5) return 'answer'
        sockets.get(session)!.end()
        return 'ignore'
      }, sockets)
      const { verdict, http } = await bench(server.url, { ...brief, ...h2 }).finished
      assert.equal(verdict, 'pass')
      assert.ok(http!.reconnects >= 5)
      assert.equal(http!.sentAgain, http!.reconnects)
    },
  )
})

test('a caller over HTTP/2 calls again after GOAWAY between messages', async () => {
  await using server = await listenHttp2(session => {
    session.close()
    return 'answer'
  })
  await using peer = await connect(server.url, h2)
  for (const word of ['one', 'two', 'three'])
    assert.equal(Buffer.from((await peer.echo(word)).reply).toString(), word)
  assert.equal(server.connections(), 3)
})

const refusing = 'a server of HTTP/2 that refuses all is a failure, and is not called for ever:'
describe(refusing, { skip: onlyFull }, () => {
  test('each stream', async () => {
    let count = 0
    await using server = await listenHttp2(() => (count++, 'refuse'))
    const { verdict } = await bench(server.url, { ...brief, ...h2 }).finished
    assert.equal(verdict, 'fail')
    assert.ok(count <= 20, `${count}`)
  })

  test('each connection', async () => {
    // Its settings, and GOAWAY: no stream was processed (RFC 9113 section 6.8).
    const frames = `\0\0\0\x04\0\0\0\0\0\0\0\x08\x07${'\0'.repeat(13)}`
    let count = 0
    await using server = await listen(socket => {
      count++
      socket.once('data', () => socket.end(frames))
    })
    const { verdict, http } = await bench(server.url.replace('tcp', 'http'), { ...brief, ...h2 })
      .finished
    assert.equal(verdict, 'fail')
    assert.ok(count <= 20, `${count}`)
    assert.ok(http!.sentAgain > 0)
  })
})
