/** WebSocket: messages come back as they are, and conversations end as they should. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { WebSocket } from 'ws'
import { serve, type Server } from 'yodel'
import { dial, read, readAll, until } from './client.ts'
import { frame, parsed, request, upgraded } from './frames.ts'
import { onlyFull, short } from './full.ts'
import { refusal } from './refusal.ts'
import {
  balanced,
  closed,
  engines,
  open,
  portOf,
  receive,
  start,
  type Message,
} from './ws-clients.ts'

const timeout = 60_000
const noRing = refusal('uring')

/** What was sent in any pieces comes back whole. */
const message = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 200_000 }).map(size => Buffer.alloc(size, `${size} `)),
)
const sent = fc.record({ message, cuts: fc.array(fc.nat(300), { maxLength: 3 }) })

for (const [engine, skip] of engines)
  describe(`WebSocket on ${engine}`, { timeout, skip }, () => {
    let server: Server
    let deflating: Server
    before(async () => {
      server = await start({ engine })
      deflating = engine === 'node' ? await start({ web: { deflate: true } }) : server
    })
    after(() => Promise.all([server.close(), deflating.close()]))
    for (const deflate of engine === 'node' ? [false, true] : [false])
      anyMessages(() => deflating, deflate)
    frames(() => server)
    endings(() => server, engine)
    if (engine === 'uring') turns(() => server)
    crowded(() => server, engine)
  })

function anyMessages(started: () => Server, deflate: boolean) {
  const how = deflate ? 'deflated' : 'plain'
  test(`${how}: any messages in any fragments come back whole, of their kind`, async () => {
    const server = started()
    const property = fc.asyncProperty(fc.array(sent, { maxLength: 8 }), async messages => {
      const client = await open(server, { perMessageDeflate: deflate })
      assert.equal(client.extensions, deflate ? 'permessage-deflate' : '')
      const back = receive(client, messages.length)
      for (const { message, cuts } of messages) send(client, message, cuts)
      client.close(1000)
      const expected = messages.map(({ message }) => message)
      assert.deepEqual(await back, expected)
      await until(() => client.readyState === client.CLOSED)
    })
    await fc.assert(property, { numRuns: short(15, 2) })
    await balanced(server)
    const { bytesIn, bytesOut, protocol } = server.snapshot()
    assert.deepEqual([bytesOut, protocol], [bytesIn, 0])
  })
}

/** Text is cut between bytes of a character, too. */
function send(client: WebSocket, message: Message, cuts: number[]) {
  const binary = typeof message !== 'string'
  const bytes = Buffer.from(message as string)
  let from = 0
  for (const cut of cuts.toSorted((a, b) => a - b)) {
    client.send(bytes.subarray(from, cut), { binary, fin: false })
    client.ping('between')
    from = Math.max(from, cut)
  }
  client.send(bytes.subarray(from), { binary, fin: true })
}

function frames(started: () => Server) {
  test('a ping is answered by a pong with its payload, in order with messages', async () => {
    const server = started()
    const socket = await upgraded(portOf(server))
    const tiny = Array.from({ length: 200 }, (_, n) => frame(9, `${n}`))
    socket.end(Buffer.concat([frame(1, 'one'), ...tiny, frame(2, ''), frame(8, '')]))
    const frames = parsed(await readAll(socket))
    assert.deepEqual(
      frames.map(({ opcode }) => opcode),
      [1, ...tiny.map(() => 10), 2, 8],
    )
    assert.equal(frames[200]!.payload.toString(), '199')
  })

  test('frames may come together with the request, and in single bytes', async () => {
    const server = started()
    const early = await dial({ port: portOf(server) })
    early.write(Buffer.concat([Buffer.from(request()), frame(1, 'early'), frame(8, '')]))
    const answer = (await readAll(early)).toString('latin1')
    early.end()
    assert.ok(answer.endsWith('\r\n\r\n\x81\x05early\x88\x00'), answer)
    const slow = await upgraded(portOf(server))
    for (const byte of Buffer.concat([frame(1, 'sl', { fin: false }), frame(0, 'ow')])) {
      slow.write(Buffer.of(byte))
      await new Promise(resolve => setImmediate(resolve))
    }
    assert.equal((await read(slow, 6)).toString('latin1'), '\x81\x04slow')
    slow.destroy()
  })
}

function endings(started: () => Server, engine: Server['engine']) {
  test('close frames are answered with their own code and reason', async () => {
    const server = started()
    for (const [code, reason] of [
      [1000, ''],
      [1001, 'away'],
      [3000, 'ünd'],
      [4999, 'x'.repeat(123)],
    ] as const) {
      const client = await open(server)
      client.send('last words')
      client.close(code, reason)
      assert.deepEqual(await receive(client, 1), ['last words'])
      assert.deepEqual(await closed(client), [code, reason])
    }
    const client = await open(server)
    client.close()
    assert.deepEqual(await closed(client), [1005, ''])
    assert.equal(server.snapshot().protocol, 0)
  })

  test('a server that leaves echoes what was received, and says 1001', async () => {
    const server = await start({ engine })
    const client = await open(server)
    const sent = Array.from({ length: 500 }, (_, n) => `message ${n}`)
    const back = receive(client, sent.length)
    for (const message of sent) client.send(message)
    const left = server.close()
    assert.deepEqual(await back, sent)
    assert.deepEqual(await closed(client), [1001, 'the server is leaving'])
    await left
    assert.equal(server.snapshot().open, 0)
  })

  test('FIN without a close frame: what was received is echoed, then FIN', async () => {
    const server = started()
    const socket = await upgraded(portOf(server))
    socket.end(Buffer.concat([frame(1, 'whole'), frame(1, 'cut', { fin: false })]))
    assert.deepEqual(parsed(await readAll(socket)), [{ opcode: 1, payload: Buffer.from('whole') }])
    await balanced(server)
  })

  test('a server for one client leaves when the client has', { skip: onlyFull }, async () => {
    const server = await start({ engine, oneOff: true })
    const client = await open(server)
    client.close(1000)
    await server.closed
  })
}

/** What the buffers of the system take on their own. */
const systemMaxBytes = 64 * 2 ** 20

function turns(started: () => Server) {
  test('one client after the other: none ends with the one before it', async () => {
    const server = started()
    for (let n = 0; n < short(1_000, 200); n++) {
      const client = await open(server)
      const back = receive(client, 1)
      client.send(`client ${n}`)
      client.close(1000)
      assert.deepEqual(await closed(client), [1000, ''])
      assert.deepEqual(await back, [`client ${n}`])
    }
    await balanced(server)
  })
}

function crowded(started: () => Server, engine: Server['engine']) {
  test(
    'a client that never reads is not read, and slows no other',
    { skip: onlyFull },
    async () => {
      const server = started()
      for (const chunk of [
        frame(2, Buffer.alloc(2 ** 20)),
        Buffer.alloc(60_000, frame(1, '')),
        Buffer.alloc(60_000, frame(9, 'x'.repeat(114))),
      ]) {
        const greedy = await upgraded(portOf(server))
        greedy.pause().on('error', () => {})
        const send = () => {
          while (greedy.writable && greedy.write(chunk));
        }
        greedy.on('drain', send)
        send()
        const sizes: number[] = []
        await until(async () => {
          await new Promise(resolve => setTimeout(resolve, 40))
          sizes.push(greedy.bytesWritten)
          return sizes.at(-1) === sizes.at(-4) || sizes.at(-1)! > systemMaxBytes
        })
        assert.ok(greedy.bytesWritten < systemMaxBytes)
        const client = await open(server)
        client.send('hello')
        assert.deepEqual(await receive(client, 1), ['hello'])
        client.terminate()
        greedy.destroy()
      }
      await balanced(server)
    },
  )

  test('clients without a place yet are upgraded in their turn', { skip: onlyFull }, async () => {
    await using single = await start({ engine, concurrency: 1 })
    const first = await open(single)
    const second = new WebSocket(single.url)
    first.send('first')
    await receive(first, 1)
    assert.equal(second.readyState, second.CONNECTING)
    first.close()
    await once(second, 'open')
    second.terminate()
  })

  test('what is idle is closed; a ping is not nothing', async () => {
    await using server = await start({ engine, idleTimeoutMs: 200 })
    const [idle, alive] = [await open(server), await open(server)]
    const beats = setInterval(() => alive.ping(), 40)
    assert.deepEqual(await closed(idle), [1006, ''])
    assert.equal(server.snapshot().idleClosed, 1)
    assert.equal(alive.readyState, alive.OPEN)
    clearInterval(beats)
    alive.terminate()
  })
}

test('over TLS on the ring: messages, and ends of both sides', { skip: noRing }, async () => {
  const server = await serve('wss://127.0.0.1:0', { engine: 'uring' })
  const trusting = { rejectUnauthorized: false }
  const client = await open(server, trusting)
  const sent = ['first', '', Buffer.alloc(200_000, 'binary '), 'ü'.repeat(50_000), Buffer.of(7)]
  const back = receive(client, sent.length)
  for (const message of sent) client.send(message)
  assert.deepEqual(await back, sent)
  client.close(4000, 'done')
  assert.deepEqual(await closed(client), [4000, 'done'])
  const wrong = await open(server, trusting)
  const { _socket: raw } = wrong as unknown as { _socket: Socket }
  raw.write(frame(1, 'not masked', { masked: false }))
  assert.equal((await closed(wrong))[0], 1002)
  const last = await open(server, trusting)
  const left = server.close()
  assert.deepEqual(await closed(last), [1001, 'the server is leaving'])
  await left
  const { opened, open: stillOpen, protocol, bytesIn, bytesOut } = server.snapshot()
  assert.deepEqual([opened, stillOpen, protocol, bytesOut], [3, 0, 1, bytesIn])
})
