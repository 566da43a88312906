/** Our WebSocket clients with servers of others, and clients of others with our server. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { bench, connect, flood, serve, type BenchOptions, type Server } from 'yodel'
import { listen } from './peers/server.ts'
import { createCertificate, pem } from './certificates.ts'
import { accepted, frame } from './frames.ts'
import { full, onlyFull, short } from './full.ts'
import { missing, portOf, Program, root, yodel } from './program.ts'
import { receive, start } from './ws-clients.ts'

let server: Server
before(async () => void (server = await start()))
after(() => server.close())

/** A server of the package `ws` alone; going out of scope it leaves. */
async function plainServer(onClient: (client: WebSocket) => void) {
  const plain = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  plain.on('connection', onClient)
  await once(plain, 'listening')
  return {
    url: `ws://127.0.0.1:${(plain.address() as AddressInfo).port}/echo`,
    [Symbol.dispose]() {
      for (const client of plain.clients) client.terminate()
      plain.close()
    },
  }
}

const echo = (client: WebSocket) =>
  client.on('message', (data, binary) => client.send(data, { binary }))

test('a pipe to a server of others: binary messages, close code 1000', async () => {
  const kinds = new Set<boolean>()
  let ending: Promise<unknown[]> | undefined
  using plain = await plainServer(client => {
    echo(client)
    client.on('message', (_, binary) => kinds.add(binary))
    ending = once(client, 'close')
  })
  const input = randomBytes(2 ** 20)
  const { code, stdout, stderr } = await yodel(['connect', '-v', plain.url], input).finished
  assert.match(stderr, /^yodel: connected to ws:.*\nyodel: the ping was answered in [\d.]+[mu]s\n$/)
  assert.equal(code, 0)
  assert.ok(stdout.equals(input))
  assert.deepEqual([...kinds], [true])
  assert.equal((await ending!)[0], 1000)
})

test('a pipe of text: each line is a message, and what is no text is not sent', async () => {
  const messages: string[] = []
  using plain = await plainServer(client => {
    echo(client)
    client.on('message', (data, binary) => {
      messages.push(binary ? 'binary' : (data as Buffer).toString())
    })
  })
  const input = 'hallöchen\n\nthe end'
  const { code, stdout } = await yodel(['connect', '--text', plain.url], input).finished
  assert.equal(code, 0)
  assert.equal(stdout.toString(), input)
  assert.deepEqual(messages, ['hallöchen', '', 'the end'])
  if (!full) return
  const wrong = await yodel(['connect', '--text', plain.url], Buffer.of(0x0a, 0xff)).finished
  assert.equal(wrong.code, 1)
  assert.match(wrong.stderr, /line 2 is not UTF-8/)
})

test('the library: text stays text, and a server may say why it leaves', async () => {
  using plain = await plainServer(client => {
    echo(client)
    client.on('message', data => {
      if ((data as Buffer).length === 0) client.close(1011, 'out of order')
    })
  })
  const peer = await connect(plain.url)
  const kind = once(peer.stream, 'data')
  peer.stream.write('text')
  assert.deepEqual(await kind, ['text'])
  peer.stream.pause()
  const { reply } = await peer.echo(Buffer.alloc(300_000, 'abc'))
  assert.equal(reply.length, 300_000)
  assert.ok((await peer.ping!()) > 0)
  const broken = once(peer.stream, 'error')
  peer.stream.resume().write('')
  assert.match(String((await broken)[0]), /closed with 1011: out of order/)
})

const closing: RequestListener = (_, response) => response.writeHead(404).end()

test('a server without WebSocket is reported, with what to try', async () => {
  const http = createServer(closing).listen(0, '127.0.0.1')
  await once(http, 'listening')
  await using tcp = await listen(socket => void socket.pipe(socket))
  await using silent = await listen()
  await using leaving = await listen(socket => socket.end())
  const cases: [url: string, message: RegExp][] = [
    [`:${(http.address() as AddressInfo).port}/x`, /\/x: it answered with HTTP 404 Not Found\.$/],
    [`:${portOf(tcp.url)}`, /: it does not answer in HTTP\.$/],
    [`:${portOf(silent.url)}`, /: no answer \(ETIMEDOUT\)\.$/],
    [`:${portOf(leaving.url)}`, /: it closed the connection instead of upgrading\.$/],
  ]
  for (const [where, message] of cases) {
    const refused = connect(`ws://127.0.0.1${where}`, { timeoutMs: 150 })
    await assert.rejects(refused, { kind: 'network', message })
    await refused.catch(({ hint }: { hint: string }) => assert.notEqual(hint, ''))
  }
  http.close()
})

// Every day load-reasons.test.ts has such a server.
const noFrames = 'a server whose frames are none is told so with 1002, and so are we'
test(noFrames, { skip: onlyFull }, async () => {
  await using bad = await listen(socket => {
    socket.once('data', request => {
      const [, key] = /Sec-WebSocket-Key: (\S+)/.exec(String(request))!
      socket.write(accepted(key!))
      socket.write(frame(1, 'masked, which servers must not do'))
    })
  })
  const url = bad.url.replace('tcp:', 'ws:')
  const { verdict, errors } = await bench(url, {
    connections: 1,
    durationMs: 100,
    warmupMs: 0,
  }).finished
  assert.deepEqual([verdict, errors.protocol], ['fail', 1])
})

test('a load over messages: depth, sizes, an open loop, idle and short connections', async () => {
  const common = { count: 100, warmupMs: 0, connections: 3 }
  const sizes = [{ minBytes: 1, maxBytes: 100_000, weight: 1 }]
  const loads: BenchOptions[] = [
    { depth: 20, sizeBytes: 8_000 },
    { sizeBytes: sizes, depth: 3 },
    // A busy machine may be late at the end of so short a window.
    { ratePerSecond: 500, idle: 5, churnPerSecond: 40, expect: ['rate>0'] },
  ]
  for (const options of short(loads, loads.slice(2))) {
    const { verdict, firstWrong, messages } = await bench(server.url, { ...common, ...options })
      .finished
    assert.deepEqual([verdict, firstWrong, messages.lost], ['pass', null, 0])
    assert.ok(messages.received > 0)
  }
  if (!full) return
  const { messages } = await flood(server.url, { message: 'grüße', count: 100 }).finished
  assert.equal(messages.received, 100)
})

test('a server that joins or cuts messages is found out', async () => {
  using joining = await plainServer(client => {
    let before: Buffer | undefined
    client.on('message', data => {
      if (before) client.send(Buffer.concat([before, data as Buffer]))
      before = before ? undefined : (data as Buffer)
    })
  })
  const options = { connections: 1, depth: 2, durationMs: 100, warmupMs: 0, sizeBytes: 50 }
  const { verdict, firstWrong } = await bench(joining.url, options).finished
  assert.deepEqual([verdict, firstWrong?.cause], ['fail', 'bounds'])
})

test('wss: the same over TLS, in both directions', async () => {
  await using secure = await serve('wss://127.0.0.1:0')
  const client = new WebSocket(secure.url, { rejectUnauthorized: false })
  await once(client, 'open')
  client.send('over TLS')
  assert.deepEqual(await receive(client, 1), ['over TLS'])
  client.close(1000)
  await assert.rejects(connect(secure.url), { kind: 'network' })
  const calling = { tls: { pin: secure.fingerprint! } }
  await using peer = await connect(secure.url, { calling })
  assert.equal((await peer.echo('pinned')).reply.toString(), 'pinned')
  assert.match(peer.details.join('\n'), /TLSv1\.3/)
  assert.equal(secure.snapshot().protocol, 0)
  if (!full) return
  const options = { connections: 2, depth: 4, count: 100, warmupMs: 0, calling }
  const { verdict } = await bench(secure.url, options).finished
  assert.equal(verdict, 'pass')
  assert.equal(secure.snapshot().protocol, 0)
})

const demands = 'wss: a client without the certificate that a server wants is told at once'
test(demands, { skip: onlyFull }, async () => {
  await using secure = await serve('wss://127.0.0.1:0', { tls: { clientCa: pem('ca.pem') } })
  const { fingerprint: pin } = secure
  const anonymous = connect(secure.url, { calling: { tls: { pin: pin! } } })
  await assert.rejects(anonymous, /demands a certificate of its clients/)
  // The server closes without a word when it does not trust the certificate.
  const unknown = { pin: pin!, ...createCertificate(['localhost']) }
  const left = connect(secure.url, { calling: { tls: unknown } })
  await assert.rejects(left, /closed the connection instead of upgrading/)
})

test('a client of the standard library of Python', { skip: missing('python3') }, async () => {
  const script = `${root}test/peers/websocket.py`
  await using python = new Program('python3', [script, String(portOf(server.url))], 'ignore')
  const { stdout, stderr } = await python.finished
  assert.equal(stdout.toString(), 'all came back\n', stderr)
})
