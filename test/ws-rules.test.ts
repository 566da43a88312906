/** WebSocket: what breaks the rules of frames or of the upgrade is told, counted and closed. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import type { Server } from 'yodel'
import { dial, readAll } from './client.ts'
import { frame, parsed, request, upgraded } from './frames.ts'
import { short } from './full.ts'
import { balanced, engines, open, portOf, receive, start } from './ws-clients.ts'

const timeout = 60_000

const web = { messageMaxBytes: 2000, origins: ['https://good.example'] }
for (const [engine, skip] of engines)
  describe(`rules of WebSocket on ${engine}`, { timeout, skip }, () => {
    let server: Server
    before(async () => void (server = await start({ engine, web })))
    after(() => server.close('now'))
    breaking(() => server)
    noUpgrades(() => server)
    givenUp(engine)
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

function breaking(started: () => Server) {
  test('broken frames: what came before is echoed, then the right code, and counted', async () => {
    const server = started()
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
      const counted = [protocol - before.protocol, messagesTooLong - before.messagesTooLong]
      assert.deepEqual(counted, code === 1009 ? [0, 1] : [1, 0], name)
      assert.equal(bytesIn - before.bytesIn, 2000, name)
    }
    await balanced(server)
  })

  test('any bytes after the upgrade: no crash, and others are served', async () => {
    const server = started()
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
    await fc.assert(property, { numRuns: short(60, 8) })
    await balanced(server)
    const client = await open(server)
    client.send('still there')
    assert.deepEqual(await receive(client, 1), ['still there'])
    client.terminate()
  })
}

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

function noUpgrades(started: () => Server) {
  test('what is no upgrade gets an answer in HTTP, and is counted', async () => {
    const server = started()
    const before = server.snapshot()
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
      ['hello\r\n\r\n', 400, /not an HTTP request/],
      ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, /not an HTTP request/],
    ]
    for (const [text, status, answer] of asks) {
      const [got, said] = await asked(server, text)
      assert.equal(got, status, said)
      assert.match(said, answer)
    }
    // A probe has broken no rule.
    const probe = await dial({ port: portOf(server) })
    probe.end()
    await readAll(probe)
    await balanced(server)
    const counters = ['upgradesRefused', 'handshakesFailed', 'protocol'] as const
    const now = server.snapshot()
    for (const name of counters) assert.equal(now[name] - before[name], asks.length, name)
    for (const origin of ['https://good.example', undefined]) {
      const client = await open(server, origin === undefined ? {} : { origin })
      client.terminate()
    }
  })
}

test('limits that make no sense are refused', async () => {
  for (const web of [{ messageMaxBytes: 0 }, { origins: ['https://a.example/page'] }])
    await assert.rejects(start({ web }), { kind: 'usage' })
})

function givenUp(engine: Server['engine']) {
  test('an upgrade that comes byte by byte is given up after the time for it', async () => {
    await using server = await start({ engine, handshakeTimeoutMs: 200 })
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
}
