/** Why a connection of a load failed, and how far it came, as far as that is known. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { bench, type BenchOptions } from 'yodel'
import { dial, readAll } from './client.ts'
import { accepted, frame, upgraded } from './frames.ts'
import { full, onlyFull, short } from './full.ts'
import { framesOf, type } from './http2-frames.ts'
import { listen } from './peers/server.ts'
import { portOf, yodelServe } from './program.ts'
import { loadRefusal } from './refusal.ts'

const once = { connections: 1, sizeBytes: 64, count: 5, warmupMs: 0, drainMs: 2_000 }
const alpn = (...names: string[]) => ({ calling: { tls: { alpn: names } } })
const churn: BenchOptions = { connections: 0, churnPerSecond: 100, durationMs: 30, count: Infinity }

type Answer = (socket: Socket, data: Buffer) => void
const saying =
  (text: string): Answer =>
  socket =>
    void socket.write(text)

/** Grants the upgrade, and then sends a frame with reserved bits. */
const badFrame: Answer = (socket, data) => {
  const key = /^Sec-WebSocket-Key: (.*)\r$/im.exec(data.toString())?.[1]
  if (key !== undefined) socket.write(accepted(key))
  else socket.write(Buffer.of(0xf2, 0))
}

/**
 * Answers in HTTP/1.1 once a message of HTTP/2 has come, behind 24 bytes and some frames: before
 * that nothing is unanswered.
 */
const notHttp2 = (): Answer => {
  let all = Buffer.alloc(0)
  return (socket, data) => {
    all = Buffer.concat([all, data])
    const isSent = framesOf(all.subarray(24)).some(({ kind }) => kind === type.data)
    if (isSent) socket.write(`${head}\r\n\r\n`)
  }
}

const head = 'HTTP/1.1 200 OK'
const reasons: [url: string, answer: Answer, reason: string, more?: BenchOptions][] = [
  ['http', saying(`${head}\nContent-Length: 64\n\n${'x'.repeat(64)}`), 'the answer has a bare LF'],
  [
    'http',
    saying(`${head}\r\nX : a\r\n\r\n`),
    'the answer has a space before the colon of a header',
  ],
  ['http', saying('hello'), 'the answer is not HTTP/1.1', churn],
  ['http', notHttp2(), 'HTTP/2 failed (', alpn('h2')],
  ['ws', badFrame, 'Invalid WebSocket frame: '],
]

/** A message of our own, and one from elsewhere. */
const shown = ['the answer has a bare LF', 'Invalid WebSocket frame']
for (const [transport, answer, reason, more] of reasons)
  test(
    `a load over ${transport} says that it broke: ${reason}`,
    {
      skip: !shown.some(each => reason.startsWith(each)) && onlyFull,
    },
    async () => {
      await using server = await listen(socket => socket.on('data', data => answer(socket, data)))
      const url = server.url.replace('tcp', transport)
      const { errors, firstWrong } = await bench(url, { ...once, ...more }).finished
      assert.ok(errors.protocol > 0, JSON.stringify(errors))
      const { detail } = firstWrong!
      const found = detail.includes(`The connection broke: ${reason}`)
      assert.ok(found && detail.includes('with 64 bytes unanswered'), detail)
    },
  )

test('why a connection could not be made is said, of one that is merely held, too', async () => {
  let connections = 0
  // The first one is upgraded, and what comes then is no answer.
  const answer: Answer = (socket, data) => {
    const key = /^Sec-WebSocket-Key: (.*)\r$/im.exec(data.toString())?.[1]
    if (connections++ === 0) socket.write(accepted(key!))
    else socket.write('hello')
  }
  await using server = await listen(socket => socket.once('data', data => answer(socket, data)))
  const url = server.url.replace('tcp', 'ws')
  const load = { ...once, count: Infinity, durationMs: 50, drainMs: 20 }
  for (const more of short([{ connections: 2 }, { idle: 1 }], [{ idle: 1 }])) {
    connections = 0
    const { failedBecause } = await bench(url, { ...load, ...more }).finished
    assert.match(
      failedBecause.join(' '),
      /1 connection failed: other \(.*: it does not answer in HTTP\)\./,
    )
  }
})

const engines = ['node', 'uring'] as const
for (const engine of engines)
  test(`${engine}: how much of an answer came, and that it was the warm-up`, async t => {
    const refused = loadRefusal(engine)
    if (refused !== false) return t.skip(refused)
    const answer: Answer = (socket, data) => void socket.end(data.subarray(0, 10))
    await using server = await listen(socket => socket.on('data', data => answer(socket, data)))
    const ended = 'The connection was closed with 54 bytes unanswered, after 10 bytes of a message'
    for (const [warmupMs, where] of [
      [0, '.'],
      [60_000, ', in the warm-up.'],
    ] as const) {
      if (warmupMs > 0 !== (engine === 'node') && !full) continue
      const result = await bench(server.url, { ...once, engine, warmupMs }).finished
      assert.deepEqual([result.errors.closedEarly, result.firstWrong!.offset], [1, 10])
      assert.equal(result.firstWrong!.detail, ended + where)
      const [because] = result.failedBecause
      if (warmupMs > 0) assert.equal(because, 'Nothing was measured: it failed in the warm-up.')
      else assert.equal(because, '1 message did not come back.')
    }
  })

// Every day tls.test.ts shows such a line.
test('the last line of a server names what failed', { skip: onlyFull }, async () => {
  const { program, url } = await yodelServe('ws://127.0.0.1:0')
  await using _ = program
  for (let n = 0; n < 6; n++) {
    const socket = await upgraded(portOf(url))
    socket.write(frame(2, 'hi', { reserved: 7 }))
    await readAll(socket)
    socket.end()
  }
  const idle = await dial({ port: portOf(url) })
  idle.end('hello\r\n\r\n')
  await readAll(idle)
  program.kill()
  const { stderr } = await program.finished
  assert.match(stderr, /served 7 clients, 0 B echoed, 1 handshake failed; failures: protocol 7\n$/)
})
