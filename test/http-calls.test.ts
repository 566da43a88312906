/** Clients of HTTP servers, of yodel and others; faults; and other programs. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { bench, connect, serve, type BenchOptions, type ConnectOptions, type Server } from 'yodel'
import { pattern, until } from './client.ts'
import { full, onlyFull } from './full.ts'
import { origin } from './http-client.ts'
import { listen } from './peers/server.ts'
import { missing, yodel } from './program.ts'

type Calling = NonNullable<ConnectOptions['calling']>

let clear: Server
let secret: Server
/** The certificate that was made for it. */
let cert = ''
before(async () => {
  clear = await serve('http://127.0.0.1:0', { faults: [] })
  secret = await serve('https://127.0.0.1:0')
  const { port } = secret.address as { port: number }
  const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  cert = socket.getPeerX509Certificate()!.toString()
  socket.destroy()
})
after(() => Promise.all([clear.close('now'), secret.close('now')]))

/** An echo server as others write it. */
async function plainServer(answer: http.RequestListener) {
  const server = http.createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async () => {
    server.close()
    server.closeAllConnections()
  }
  return { url: `http://127.0.0.1:${port}`, server, [Symbol.asyncDispose]: close }
}

const short = { connections: 2, count: 60, warmupMs: 0, drainMs: 2_000 }

describe('a load', () => {
  test('is verified over both versions, in the clear and not', async () => {
    const sizeBytes = [{ minBytes: 1, maxBytes: full ? 50_000 : 5_000, weight: 1 }]
    const loads: [string, BenchOptions][] = [
      [clear.url, { calling: { tls: { alpn: ['h2'] } }, depth: 10 }],
      [clear.url, {}],
      [secret.url, { calling: { tls: { ca: cert, alpn: ['h2'] } }, depth: 10, sizeBytes }],
    ]
    for (const [address, options] of loads.slice(full ? 0 : 2)) {
      const { verdict, messages } = await bench(address, { ...short, ...options }).finished
      assert.deepEqual([verdict, messages.received], ['pass', 60], address)
    }
  })

  test('works with a server of others, and short connections too', { skip: onlyFull }, async () => {
    await using plain = await plainServer((request, response) => request.pipe(response))
    // So few that a busy machine keeps up with the plan.
    const pace = { ratePerSecond: 60, churnPerSecond: 20 }
    const options = { ...short, count: Infinity, durationMs: 200, ...pace }
    const { verdict, messages, churn } = await bench(plain.url, options).finished
    assert.equal(verdict, 'pass')
    assert.ok(messages.received > 10 && churn!.completed > 0)
  })

  test('fails where the status is none of success, or the body is another', async () => {
    await using wrong = await plainServer((_, response) => response.end('hello'))
    const other = await bench(wrong.url, short).finished
    assert.equal(other.verdict, 'fail')
    if (!full) return
    const sick = await bench(`${clear.url}/?status=503`, short).finished
    assert.deepEqual([sick.verdict, sick.messages.received], ['fail', 0])
  })

  test('with more than one message in flight needs HTTP/2', async () => {
    await assert.rejects(bench(clear.url, { ...short, depth: 2 }).finished, /one message in flight/)
  })
})

describe('a caller', () => {
  test('gets the echo of each message, in order', async () => {
    const calls: [string, Calling][] = [
      [clear.url, {}],
      [secret.url, { tls: { pin: secret.fingerprint, alpn: ['h2'] } }],
    ]
    for (const [address, calling] of calls) {
      await using peer = await connect(address, { calling })
      for (const size of [1, 100_000, 5]) {
        const { reply } = await peer.echo(pattern(size, size))
        assert.ok(pattern(size, size).equals(reply))
      }
    }
  })

  test('calls again where a server hangs up after each answer', async () => {
    await using curt = await plainServer((request, response) => {
      response.setHeader('Connection', 'close')
      request.pipe(response)
    })
    await using patient = await connect(curt.url, { calling: { http: { anyStatus: true } } })
    await using strict = await connect(curt.url)
    for (const peer of [patient, strict]) await peer.echo('one')
    assert.equal(Buffer.from((await patient.echo('two')).reply).toString(), 'two')
    assert.equal(Buffer.from((await strict.echo('two')).reply).toString(), 'two')
  })

  test('streams one request, and verifies what comes back', async () => {
    const sent = pattern(full ? 3_000_000 : 300_000, 2)
    const both = [[clear.url], [secret.url, '--alpn', 'h2', '--insecure']]
    for (const args of both.slice(full ? 0 : 1)) {
      await using program = yodel(['connect', ...args], sent)
      const { code, stdout, stderr } = await program.finished
      assert.deepEqual([code, stderr], [0, ''])
      assert.ok(stdout.equals(sent))
    }
  })

  test('is told the status, and with -v the headers, harmlessly', async () => {
    await using odd = await plainServer((request, response) => {
      response.writeHead(418, 'teapot', { Evil: '\u009b31m' })
      request.pipe(response)
    })
    await using program = yodel(['connect', odd.url, '-v'], 'tea')
    const { code, stdout, stderr } = await program.finished
    assert.deepEqual([code, stdout.toString()], [1, 'tea'])
    assert.match(stderr, /^yodel: HTTP\/1\.1 418 teapot$/m)
    assert.match(stderr, /^yodel: Evil: \\u\{9b\}31m$/m)
  })

  test('of a server without HTTP is told so', async () => {
    await using server = await listen(socket => socket.end('SSH-2.0-OpenSSH_9.2\r\n'))
    await using peer = await connect(server.url.replace('tcp', 'http'))
    await assert.rejects(peer.echo('hello'), /is not HTTP\/1\.1|without a request/)
  })
})

describe('a fault', () => {
  const post = async (body: string) => {
    const answer = await fetch(origin(clear), { method: 'POST', body })
    return answer.text()
  }
  const body = 'x'.repeat(3_000)

  test('hits each body: it is late, cut, changed, withheld', async () => {
    await clear.setFaults([{ kind: 'delay', ms: 50 }])
    const sentMs = performance.now()
    assert.equal(await post(body), body)
    assert.ok(performance.now() - sentMs >= 49)
    await clear.setFaults([{ kind: 'slice', minBytes: 100, maxBytes: 200 }])
    assert.equal(await post(body), body)
    await clear.setFaults([{ kind: 'corrupt', perByte: 0.1 }])
    assert.notEqual(await post(body), body)
    for (const kind of ['truncate', 'reset'] as const) {
      await clear.setFaults([{ kind, afterBytes: 1000 }])
      await assert.rejects(post(body), /terminated|fetch failed/)
    }
    await clear.setFaults([{ kind: 'hang' }])
    const { faultsInjected } = clear.snapshot()
    const waiting = post(body)
    await until(() => clear.counts().faultsInjected > faultsInjected)
    await clear.setFaults([])
    assert.equal(await waiting, body)
  })

  test('that is set while a body is under way hits the rest of it, after a hang too', async () => {
    await clear.setFaults([{ kind: 'hang' }])
    const { faultsInjected } = clear.snapshot()
    const request = http.request(origin(clear), { method: 'POST' })
    const answered = once(request, 'response') as Promise<[http.IncomingMessage]>
    request.write('one')
    await until(() => clear.counts().faultsInjected > faultsInjected)
    await clear.setFaults([])
    const [answer] = await answered
    const [first] = (await once(answer, 'data')) as [Buffer]
    assert.equal(first.toString(), 'one')
    await clear.setFaults([{ kind: 'corrupt', perByte: 1 }])
    request.end('two')
    const [second] = (await once(answer, 'data')) as [Buffer]
    assert.equal(second.length, 3)
    await clear.setFaults([])
    assert.notEqual(second.toString(), 'two')
  })
})

const port = ({ address }: Server) => String((address as { port: number }).port)

describe('the programs of others', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'yodel-')), 'body')
  const ca = `${file}.pem`
  const sent = pattern(full ? 2_000_000 : 200_000, 9)
  writeFileSync(file, sent)
  before(() => writeFileSync(ca, cert))

  async function run(command: string, args: string[]): Promise<Buffer> {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const chunks = (await child.stdout.toArray()) as Buffer[]
    return Buffer.concat(chunks)
  }

  test(
    'curl, over HTTP/1.1, HTTP/2 with prior knowledge, and TLS',
    { skip: missing('curl') },
    async () => {
      const send = ['-s', '-S', '-T', file]
      for (const args of [
        [...send, '--http1.1', clear.url],
        [...send, '--http2', '--cacert', ca, secret.url],
        [...send, '--http2-prior-knowledge', clear.url],
        [...send, '--http1.1', '--cacert', ca, secret.url],
      ].slice(full ? 0 : 3))
        assert.ok((await run('curl', args)).equals(sent), args.join(' '))
      const description = await run('curl', ['-s', '--http2', '--cacert', ca, `${secret.url}/a?b`])
      const { httpVersion, tls } = JSON.parse(description.toString()) as {
        httpVersion: string
        tls: { alpn: string; protocol: string }
      }
      assert.deepEqual([httpVersion, tls.alpn, tls.protocol], ['2.0', 'h2', 'TLSv1.3'])
    },
  )

  test(
    "Python's http.client, in chunks and on one connection",
    { skip: onlyFull || missing('python3') },
    async () => {
      const script = `
import http.client, sys
sent = open(sys.argv[2], 'rb').read()
c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))
pieces = (sent[n:n + 70000] for n in range(0, len(sent), 70000))
for body, headers in ((sent, {}), (pieces, {'Transfer-Encoding': 'chunked'})):
    c.request('POST', '/', body, headers, encode_chunked=headers != {})
    r = c.getresponse()
    print(r.status, r.read() == sent)
`
      const out = await run('python3', ['-c', script, port(clear), file])
      assert.equal(out.toString(), '200 True\n200 True\n')
    },
  )
})

test('a server of HTTP/2 that leaves without GOAWAY is noticed', async () => {
  // Its settings, and at the first message FIN.
  await using server = await listen(socket => {
    socket.write('\0\0\0\x04\0\0\0\0\0')
    socket.once('data', () => socket.end())
  })
  const url = server.url.replace('tcp', 'http')
  for (const oneRequest of [false, true]) {
    const calling = { tls: { alpn: ['h2'] }, http: { oneRequest } }
    const peer = await connect(url, { calling })
    await assert.rejects(peer.echo('hello'), /closed the connection during an echo/)
    await peer.close()
  }
})

const cut = 'a load on HTTP/1.1 that is hung up on within an answer is given up at once'
test(cut, { skip: onlyFull }, async () => {
  await using server = await listen(socket => void socket.once('data', () => socket.end()))
  const options = { connections: 2, durationMs: 60_000, warmupMs: 0 }
  const { seconds, failedBecause } = await bench(server.url.replace('tcp', 'http'), options)
    .finished
  assert.ok(failedBecause.includes('2 connections failed: closedEarly.'))
  assert.ok(seconds < 60)
})

test('a silent server is waited for as long as --timeout says', { skip: onlyFull }, async () => {
  const silent = `${clear.url}/?delay=30s`
  for (const more of [['--alpn', 'h2'], []]) {
    await using program = yodel(['connect', silent, '--timeout', '200ms', ...more], 'tea')
    const { code, stderr } = await program.finished
    assert.equal(code, 1)
    assert.match(stderr, /^yodel: no answer came within 200ms: 3 bytes sent, 0 came back/)
    assert.ok(!stderr.includes('proxy_request_buffering'))
  }
})

test('a load counts each status as its own, and has a hint for large messages', async () => {
  const h2 = { calling: { tls: { alpn: ['h2'] } } }
  for (const more of full ? [{}, h2] : [h2]) {
    const sick = await bench(`${clear.url}/?status=500`, { ...short, ...more }).finished
    assert.deepEqual([sick.errors.status, sick.http!.statuses], [2, { 500: 2 }])
    assert.ok(sick.failedBecause.includes('2 connections failed: status 500.'))
    assert.match(sick.firstWrong!.detail, /status 500/)
  }
  if (!full) return
  const sizeBytes = [{ minBytes: 100_000, maxBytes: 100_000, weight: 1 }]
  const gateway = await bench(`${clear.url}/?status=504`, { ...short, sizeBytes }).finished
  assert.ok(gateway.notes.some(note => note.includes('proxy_request_buffering off')))
})
