/** WebSocket: messages come back as they are, rules are kept, and who breaks them is told. */
import assert from 'node:assert/strict'
import { createHash, randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import fc from 'fast-check'
import { WebSocket, type ClientOptions } from 'ws'
import { serve, type ServeOptions, type Server } from 'yodel'
import { dial, read, readAll, until } from './client.ts'
import { frame, parsed, request, upgraded } from './frames.ts'

const timeout = 60_000
const start = (options: ServeOptions = {}) => serve('ws://127.0.0.1:0', options)
const portOf = ({ address }: Server) => (address as { port: number }).port

/** A client of the package `ws`, upgraded. */
async function open(server: Server, options: ClientOptions = {}): Promise<WebSocket> {
  const client = new WebSocket(server.url, { perMessageDeflate: false, ...options })
  await once(client, 'open')
  return client
}

type Message = string | Buffer
/** The next so many messages, of the kind that they are. */
function receive(client: WebSocket, count: number): Promise<Message[]> {
  const messages: Message[] = []
  return new Promise(resolve => {
    if (count === 0) resolve(messages)
    const onMessage = (data: Buffer, isBinary: boolean) => {
      messages.push(isBinary ? data : data.toString())
      if (messages.length < count) return
      client.off('message', onMessage)
      resolve(messages)
    }
    client.on('message', onMessage)
  })
}

async function closed(client: WebSocket): Promise<[code: number, reason: string]> {
  const [code, reason] = (await once(client, 'close')) as [number, Buffer]
  return [code, reason.toString()]
}

async function balanced(server: Server) {
  await until(() => server.snapshot().open === 0)
}

/** What was sent in any pieces comes back whole. */
const message = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 200_000 }).map(size => Buffer.alloc(size, `${size} `)),
)
const sent = fc.record({ message, cuts: fc.array(fc.nat(300), { maxLength: 3 }) })

for (const deflate of [false, true]) {
  const how = deflate ? 'deflated' : 'plain'
  test(
    `${how}: any messages in any fragments come back whole, of their kind`,
    { timeout },
    async () => {
      await using server = await start({ web: { deflate } })
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
      await fc.assert(property, { numRuns: 15 })
      await balanced(server)
      const { bytesIn, bytesOut, protocol } = server.snapshot()
      assert.deepEqual([bytesOut, protocol], [bytesIn, 0])
    },
  )
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

test('a ping is answered by a pong with its payload, in order with messages', async () => {
  await using server = await start()
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

test('close frames are answered with their own code and reason', async () => {
  await using server = await start()
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
  await balanced(server)
  assert.equal(server.snapshot().protocol, 0)
})

test('a server that leaves echoes what was received, and says 1001', async () => {
  const server = await start()
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
  await using server = await start()
  const socket = await upgraded(portOf(server))
  socket.end(Buffer.concat([frame(1, 'whole'), frame(1, 'cut', { fin: false })]))
  assert.deepEqual(parsed(await readAll(socket)), [{ opcode: 1, payload: Buffer.from('whole') }])
  await balanced(server)
})

const huge = 2n ** 63n - 1n
const broken: [name: string, bytes: Buffer, code: number][] = [
  ['a reserved bit', frame(1, 'x', { reserved: 1 }), 1002],
  ['deflated, which was not agreed on', frame(1, 'x', { reserved: 4 }), 1002],
  ['an unknown opcode', frame(3, 'x'), 1002],
  ['an unknown control opcode', frame(11, 'x'), 1002],
  ['no mask', frame(1, 'x', { masked: false }), 1002],
  ['a continuation of nothing', frame(0, 'x'), 1002],
  [
    'a message within a message',
    Buffer.concat([frame(1, 'x', { fin: false }), frame(1, 'x')]),
    1002,
  ],
  ['a ping in fragments', frame(9, 'x', { fin: false }), 1002],
  ['a ping that is too long', frame(9, 'x'.repeat(126)), 1002],
  ['a close frame of one byte', frame(8, 'x'), 1002],
  ['a close code that must not be sent', frame(8, Buffer.of(0x03, 0xee)), 1002],
  ['a close reason that is not UTF-8', frame(8, Buffer.of(0x03, 0xe8, 0xff)), 1007],
  ['text that is not UTF-8', frame(1, Buffer.of(0xc3, 0x28)), 1007],
  ['text that ends within a character', frame(1, Buffer.of(0xe2, 0x82)), 1007],
  ['a length beyond all bounds', frame(2, '', { length: huge }), 1009],
  ['a length of more than 63 bits', frame(2, '', { length: 2n ** 64n - 1n }), 1009],
  ['a message beyond the limit', frame(2, Buffer.alloc(2001)), 1009],
  [
    'fragments that are beyond the limit together',
    Buffer.concat([frame(2, Buffer.alloc(1500), { fin: false }), frame(0, Buffer.alloc(1500))]),
    1009,
  ],
]

test('broken frames: what came before is echoed, then the right code, and it is counted', async () => {
  await using server = await start({ web: { messageMaxBytes: 2000 } })
  for (const [name, bytes, code] of broken) {
    const before = server.snapshot()
    const socket = await upgraded(portOf(server))
    socket.write(Buffer.concat([frame(2, Buffer.alloc(2000)), bytes, frame(1, 'not any more')]))
    const frames = parsed(await readAll(socket))
    socket.end()
    assert.deepEqual(
      frames.map(({ opcode }) => opcode),
      [2, 8],
      name,
    )
    assert.equal(frames[1]!.payload.readUInt16BE(), code, name)
    assert.ok(frames[1]!.payload.length > 2, name)
    const { protocol, messagesTooLong, bytesIn } = server.snapshot()
    const counted = [
      protocol - before.protocol,
      messagesTooLong - before.messagesTooLong,
    ]
    assert.deepEqual(counted, code === 1009 ? [0, 1] : [1, 0], name)
    assert.equal(bytesIn - before.bytesIn, 2000, name)
  }
  await balanced(server)
})

test('any bytes after the upgrade: no crash, and others are served', { timeout }, async () => {
  await using server = await start({ web: { messageMaxBytes: 2000 } })
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .tuple(fc.nat(15), fc.nat(7), fc.boolean(), fc.boolean(), fc.bigInt(0n, 2n ** 64n - 1n))
      .map(([opcode, reserved, fin, masked, length]) =>
        frame(opcode, 'x'.repeat(20), { reserved, fin, masked, length }),
      ),
  )
  const property = fc.asyncProperty(fc.array(noise, { maxLength: 4 }), async pieces => {
    const socket = await upgraded(portOf(server))
    socket.on('error', () => {}).end(Buffer.concat(pieces))
    parsed(await readAll(socket))
  })
  await fc.assert(property, { numRuns: 60 })
  await balanced(server)
  const client = await open(server)
  client.send('still there')
  assert.deepEqual(await receive(client, 1), ['still there'])
  client.terminate()
})

/** The status, and what is said, of an answer that is no upgrade. */
async function asked(server: Server, text: string): Promise<[status: number, answer: string]> {
  const socket = await dial({ port: portOf(server) })
  socket.write(text)
  const answer = (await readAll(socket)).toString()
  socket.end()
  const [, status] = /^HTTP\/1\.1 (\d+) /.exec(answer)!
  assert.match(answer, /\r\nConnection: close\r\n/)
  return [Number(status), answer]
}

test('what is no upgrade gets an answer in HTTP, and is counted', async () => {
  await using server = await start({ web: { origins: ['https://good.example'] } })
  const no = { Upgrade: '', Connection: '' }
  const asks: [text: string, status: number, answer: RegExp][] = [
    [request(no), 426, /Upgrade: websocket\r\n[^]*This is a WebSocket echo server/],
    [request({ ...no, 'Content-Length': '3' }, 'POST / HTTP/1.1') + 'abc', 426, /WebSocket echo/],
    [request({ Upgrade: 'h2c' }), 426, /WebSocket echo/],
    [request({}, 'POST / HTTP/1.1'), 405, /Allow: GET/],
    [request({ 'Sec-WebSocket-Version': '12' }), 426, /Sec-WebSocket-Version: 13/],
    [request({ 'Sec-WebSocket-Key': 'short' }), 400, /Sec-WebSocket-Key/],
    [request({ Origin: 'https://bad.example' }), 403, /origin/],
    [request({ Filler: 'x'.repeat(20_000) }), 431, /16384 bytes/],
    ['hello\r\n\r\n', 400, /no HTTP request/],
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, /no HTTP request/],
  ]
  for (const [text, status, answer] of asks) {
    const [got, said] = await asked(server, text)
    assert.equal(got, status, said)
    assert.match(said, answer)
  }
  await balanced(server)
  assert.equal(server.snapshot().upgradesRefused, asks.length)
  for (const origin of ['https://good.example', undefined]) {
    const client = await open(server, origin === undefined ? {} : { origin })
    client.terminate()
  }
})

test('an upgrade that comes byte by byte is given up after the time for it', async () => {
  await using server = await start({ handshakeTimeoutMs: 200 })
  const socket = await dial({ port: portOf(server) })
  let at = 0
  const drip = setInterval(() => socket.write(request()[at++]!), 20)
  socket.on('error', () => {})
  await once(socket.resume(), 'close').catch(() => {})
  clearInterval(drip)
  assert.ok(at < request().length)
  await balanced(server)
  assert.equal(server.snapshot().timedOut, 1)
})

test('frames may come together with the request, and in single bytes', async () => {
  await using server = await start()
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

test('whoever never reads is not read from either, and slows nobody', { timeout }, async () => {
  await using server = await start()
  for (const chunk of [
    frame(2, Buffer.alloc(2 ** 20)),
    Buffer.alloc(60_000, frame(1, '')),
    Buffer.alloc(60_000, frame(9, '')),
  ]) {
    const greedy = await upgraded(portOf(server))
    greedy.pause().on('error', () => {})
    const send = () => {
      while (greedy.writable && greedy.write(chunk));
    }
    greedy.on('drain', send)
    send()
    let sent = -1
    await until(async () => {
      const before = sent
      sent = greedy.bytesWritten
      await new Promise(resolve => setTimeout(resolve, 60))
      return before === greedy.bytesWritten
    })
    const client = await open(server)
    client.send('hello')
    assert.deepEqual(await receive(client, 1), ['hello'])
    client.terminate()
    greedy.destroy()
  }
  await balanced(server)
})

test('100 MiB in messages of 10 MiB come back the same', { timeout }, async () => {
  await using server = await start()
  const client = await open(server)
  const piece = randomFillSync(Buffer.alloc(10 * 2 ** 20))
  const [out, back] = [createHash('sha1'), createHash('sha1')]
  for (let n = 0; n < 10; n++) {
    piece.writeUInt32BE(n)
    const echoed = receive(client, 1)
    client.send(piece)
    out.update(piece)
    back.update((await echoed)[0]!)
  }
  assert.equal(back.digest('hex'), out.digest('hex'))
  client.terminate()
})

test('100 clients at once, and one after the other where only one is served', async () => {
  await using server = await start()
  const clients = await Promise.all(Array.from({ length: 100 }, () => open(server)))
  const echoed = await Promise.all(
    clients.map((client, n) => {
      client.send(`client ${n}`)
      return receive(client, 1)
    }),
  )
  assert.deepEqual(
    echoed,
    clients.map((_, n) => [`client ${n}`]),
  )
  for (const client of clients) client.close(1000)
  await balanced(server)

  await using single = await start({ concurrency: 1 })
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
  await using server = await start({ idleTimeoutMs: 300 })
  const [idle, alive] = [await open(server), await open(server)]
  const beats = setInterval(() => alive.ping(), 40)
  assert.deepEqual(await closed(idle), [1006, ''])
  assert.equal(server.snapshot().idleClosed, 1)
  assert.equal(alive.readyState, alive.OPEN)
  clearInterval(beats)
  alive.terminate()
})

test('a server for one client leaves when he has', async () => {
  const server = await start({ oneOff: true })
  const client = await open(server)
  client.close(1000)
  await server.closed
})
