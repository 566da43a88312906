/** HTTP clients that smuggle, are slow, or flood: they are counted, answered and bounded. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { after, before, describe, test } from 'node:test'
import { serve, type Server } from 'yodel'
import { dial, ending, read, readAll, until } from './client.ts'
import { onlyFull } from './full.ts'
import { origin, post2, rawly } from './http-client.ts'

let server: Server
before(async () => (server = await serve('http://127.0.0.1:0', { handshakeTimeoutMs: 200 })))
after(() => server.close('now'))

const head = 'POST / HTTP/1.1\r\nHost: x\r\n'
const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n`
/** What two servers may understand in two ways, or is endless. */
const malformed: [status: number, name: string, text: string][] = [
  [
    400,
    'length and chunks',
    `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [
    400,
    'chunks and length',
    `${head}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
  ],
  [400, 'two lengths', `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`],
  [400, 'a list of lengths', `${head}Content-Length: 5, 5\r\n\r\nhello`],
  [400, 'a signed length', `${head}Content-Length: +5\r\n\r\nhello`],
  [400, 'a length beyond 64 bits', `${head}Content-Length: 99999999999999999999\r\n\r\nhello`],
  [501, 'another coding', `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
  [
    501,
    'a body that is compressed on the way',
    `${head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  ],
  [400, 'chunked not last', `${head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
  [400, 'chunks in 1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  [400, 'a folded header', `${head}A: b\r\n c\r\n\r\n`],
  [400, 'a bare LF', `${head}A: b\nContent-Length: 0\r\n\r\n`],
  [400, 'a bare CR', `${head}A: b\rC: d\r\n\r\n`],
  [400, 'a space before the colon', `${head}Content-Length : 5\r\n\r\nhello`],
  [400, 'a NUL', `${head}A: b\0c\r\n\r\n`],
  [400, 'no Host', 'GET / HTTP/1.1\r\n\r\n'],
  [400, 'two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  [400, 'no version', 'GET /\r\n\r\n'],
  [505, 'a version to come', 'GET / HTTP/3.7\r\nHost: x\r\n\r\n'],
  [400, 'TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  [400, 'half a preface', 'PRI * HTTP/2.0\r\n\r\nXX'],
  [400, 'a chunk beyond 64 bits', `${chunked}fffffffffffffffff\r\n`],
  [400, 'a chunk without size', `${chunked}hello\r\n`],
  [400, 'a chunk with a bare LF', `${chunked}1\nx\r\n0\r\n\r\n`],
  [413, 'an endless chunk extension', `${chunked}1;${'a'.repeat(20_000)}\r\nx\r\n0\r\n\r\n`],
  [431, 'an endless header', `${head}A: ${'a'.repeat(20_000)}`],
  [414, 'an endless path', `GET /${'a'.repeat(20_000)}`],
]

describe('what is malformed', () => {
  test('gets its status and a sentence, and is counted; what follows is not read', async () => {
    const before = server.snapshot()
    await Promise.all(
      malformed.map(async ([status, name, text]) => {
        const answer = await rawly(server, Buffer.from(`${text}GET /hidden HTTP/1.1\r\n`, 'latin1'))
        const [first, ...lines] = answer.split('\r\n')
        assert.match(first!, new RegExp(`^HTTP/1\\.1 ${status} `), name)
        assert.ok(lines.includes('Connection: close'), name)
        assert.match(lines.at(-1)!, /^[A-Z][^\n]+\.\n$/, name)
        assert.doesNotMatch(answer, /hidden|HTTP\/1\.1 200/, name)
      }),
    )
    await until(() => server.counts().closed - before.closed === malformed.length)
    assert.equal(server.snapshot().protocol - before.protocol, malformed.length)
  })

  test('within a body that is being echoed ends the connection', async () => {
    const socket = await dial(server.address)
    socket.write(`${chunked}5\r\nhello\r\n`)
    await once(socket, 'data')
    socket.write('what?\r\n')
    assert.equal(await ending(socket), 'closed')
  })

  test('CONNECT is refused: this is not a proxy', async () => {
    const answer = await rawly(server, 'CONNECT a.test:1 HTTP/1.1\r\nHost: a.test:1\r\n\r\n')
    assert.match(answer, /^HTTP\/1\.1 405 /)
  })
})

describe('a client that dawdles', () => {
  test('over the headers is cut off, slow or stuck; a silent client is not', async () => {
    const { timedOut } = server.snapshot()
    const { address } = server
    const silent = await dial(address)
    const slow = await dial(address)
    const text = `${head}A: ${'a'.repeat(1000)}`
    let typed = 0
    const typing = setInterval(() => slow.write(text[typed++]!), 10)
    const answer = await readAll(slow)
    clearInterval(typing)
    assert.match(answer.toString(), /^HTTP\/1\.1 408 /)
    slow.destroy()
    const halfway = await dial(address)
    halfway.write('PRI * HTTP/2.0\r\n')
    await ending(halfway)
    const speechless = await dial(address)
    speechless.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    await ending(speechless)
    assert.equal(server.snapshot().timedOut - timedOut, 3)
    silent.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    assert.equal((await read(silent, 15)).toString(), 'HTTP/1.1 200 OK')
    silent.destroy()
  })

  test('with a body is waited for', async () => {
    const socket = await dial(server.address)
    socket.write(`${head}Content-Length: 4\r\n\r\nab`)
    await new Promise(resolve => setTimeout(resolve, 300))
    socket.end('cd')
    assert.match((await readAll(socket)).toString(), /\r\n\r\nabcd$/)
  })

  test('with delayed answers has so many of them and no more', async () => {
    const request = 'GET /?delay=200ms HTTP/1.1\r\nHost: x\r\n'
    const all = `${request}\r\n`.repeat(119)
    const text = await rawly(server, `${all}${request}Connection: close\r\n\r\n`)
    assert.equal(text.match(/HTTP\/1\.1 200 /g)?.length, 100)
    assert.equal(text.match(/HTTP\/1\.1 429 /g)?.length, 20)
  })
})

/** A frame (RFC 9113 section 4.1). */
function frame(type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}
const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0)])
/** POST http://x/ in HPACK (RFC 7541). */
const headers = Buffer.from('\x83\x86\x84\x41\x01x', 'latin1')
const cancel = Buffer.from([0, 0, 0, 8])

describe('a flood over HTTP/2', () => {
  /** Sends such frames until the connection is closed. The code of the GOAWAY, if it came. */
  async function flood(frames: (n: number) => Buffer[]): Promise<number | undefined> {
    const socket = await dial(server.address)
    const came: Buffer[] = []
    socket.on('data', (data: Buffer) => came.push(data))
    socket.on('error', () => {})
    socket.once('end', () => socket.destroy())
    socket.write(preface)
    for (let n = 0; !socket.destroyed; n++) {
      socket.write(Buffer.concat(frames(n)))
      await new Promise(setImmediate)
    }
    let rest = Buffer.concat(came)
    while (rest.length > 9 && rest[3] !== 7) rest = rest.subarray(9 + rest.readUIntBE(0, 3))
    return rest.length > 9 ? rest.readUInt32BE(13) : undefined
  }
  // A flood of these is in http2-misuse, too.
  const resets = 'streams given up at once'
  const floods: [name: string, frames: (n: number) => Buffer[]][] = [
    [resets, n => [frame(1, 4, 2 * n + 1, headers), frame(3, 0, 2 * n + 1, cancel)]],
    ['pings', () => [frame(6, 0, 0, Buffer.alloc(8))]],
    ['settings', () => [frame(4, 0, 0)]],
    ['empty data', n => (n === 0 ? [frame(1, 4, 1, headers)] : [frame(0, 0, 1)])],
    [
      'an endless head',
      n => [n === 0 ? frame(1, 0, 1, headers) : frame(9, 0, 1, Buffer.alloc(99))],
    ],
  ]
  for (const [name, frames] of floods)
    test(`of ${name} is ended, and counted`, { skip: name === resets && onlyFull }, async () => {
      const { protocol } = server.snapshot()
      const code = await flood(frames)
      assert.notEqual(code, 0)
      await until(() => server.counts().protocol > protocol)
      assert.equal(server.snapshot().protocol, protocol + 1)
    })

  const held = 'of streams at a time is held back: all are answered in the end'
  test(held, { skip: onlyFull }, async () => {
    const session = http2.connect(origin(server))
    const body = Buffer.from('hello')
    const answers = await Promise.all(
      Array.from({ length: 300 }, () => post2(session, 'POST', {}, [body])),
    )
    assert.ok(answers.every(answer => answer.body.equals(body)))
    assert.equal(session.remoteSettings.maxConcurrentStreams, 100)
    session.close()
  })
})

describe('HTTP/2 that ends without GOAWAY', () => {
  test('by FIN: what was asked is answered, what was not is given up, then FIN', async () => {
    const socket = await dial(server.address)
    const session = http2.connect(origin(server), { createConnection: () => socket })
    const [whole, part] = [
      session.request({ ':path': '/?delay=50ms' }),
      session.request({ ':method': 'POST' }),
    ]
    part.on('error', () => {}).write('hello')
    const answered = once(whole, 'response')
    await once(part, 'data')
    socket.end()
    await answered
    await Promise.all([whole.resume(), session].map(side => once(side, 'close')))
    await until(() => server.counts().open === 0)
  })

  test('before anything was asked', async () => {
    const socket = await dial(server.address)
    socket.end('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0')
    assert.equal(await ending(socket), 'closed')
  })
})
