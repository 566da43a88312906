/** The echo over HTTP: bodies, descriptions, directives, and how connections end. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { serve, type Server } from 'yodel'
import { dial, pattern, readAll, until } from './client.ts'
import { onlyFull, short } from './full.ts'
import { origin, post1, post2, rawly } from './http-client.ts'

let server: Server
/** Behind a proxy, and only for some origins. */
let behind: Server
before(async () => {
  const proxy = { mode: 'accept' as const, from: ['127.0.0.0/8'] }
  server = await serve('http://127.0.0.1:0')
  behind = await serve('http://127.0.0.1:0', { proxy, web: { origins: ['https://a.test'] } })
})
after(() => Promise.all([server, behind].map(each => each.close('now'))))

const describeAt = async (resource: string, init?: RequestInit) =>
  (await (await fetch(origin(server) + resource, init)).json()) as Description
interface Description {
  method: string
  path: string
  query: [string, string][]
  headers: [string, string][]
  httpVersion: string
  peer: { address: string }
  tls: unknown
  proxy: unknown
}

describe('a body', () => {
  test('comes back byte for byte, however it is cut, in both versions', async () => {
    const session = http2.connect(origin(server))
    const pool = pattern(200_000, 1)
    const piece = fc.record({ at: fc.nat(100_000), size: fc.oneof(fc.nat(10), fc.nat(100_000)) })
    const pieces = fc.array(piece, { maxLength: 5 })
    const method = fc.constantFrom('POST', 'PUT', 'PATCH')
    await fc.assert(
      fc.asyncProperty(pieces, method, fc.boolean(), async (cuts, verb, withLength) => {
        const parts = cuts.map(({ at, size }) => pool.subarray(at, at + size))
        const whole = Buffer.concat(parts)
        const headers = { 'content-type': 'a/b', ...(withLength && lengthOf(whole)) }
        for (const answer of [
          await post1(server, verb, headers, parts),
          await post2(session, verb, headers, parts),
        ]) {
          assert.ok(answer.body.equals(whole))
          assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'a/b'])
        }
      }),
      { numRuns: short(30, 5) },
    )
    session.close()
  })

  test('is answered before it ends, in both versions', async () => {
    const request = http.request(origin(server), { method: 'POST' })
    request.flushHeaders()
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    for (const piece of ['one', 'two']) {
      request.write(piece)
      assert.equal(String((await once(response, 'data'))[0]), piece)
    }
    request.end()
    await once(response, 'end')
    const session = http2.connect(origin(server))
    const stream = session.request({ ':method': 'POST' }, { endStream: false })
    await once(stream, 'response')
    for (const piece of ['one', 'two']) {
      stream.write(piece)
      assert.equal(String((await once(stream, 'data'))[0]), piece)
    }
    stream.end()
    session.close()
  })

  test('whose echo is not read is not read either, and complete in the end', async () => {
    const socket = await dial(server.address)
    const whole = Buffer.alloc(short(64, 32) * 2 ** 20, pattern(65_521, 3))
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${whole.length}\r\n\r\n`)
    const { bytesIn } = server.snapshot()
    const all = new Promise(resolve => socket.write(whole, resolve))
    const readSoFar = () => server.snapshot().bytesIn - bytesIn
    let last = -1
    await until(async () => {
      const stalled = last === readSoFar() && last > 0
      last = readSoFar()
      await new Promise(resolve => setTimeout(resolve, 40))
      return stalled
    })
    // What the buffers of the system take, both ways; the rest waits here.
    assert.ok(last < whole.length / 2, `${last} bytes were read`)
    socket.end()
    const answer = await readAll(socket)
    await all
    assert.ok(answer.subarray(answer.indexOf('\r\n\r\n') + 4).equals(whole))
  })
})

describe('a body that', () => {
  test('is announced is waited for with 100 Continue; its trailers are left out', async () => {
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n'
    const chunked = '5;a=b\r\nhello\r\n0\r\nLater: yes\r\n\r\n'
    const answer = await rawly(server, `${head}Expect: 100-continue\r\n\r\n`, chunked)
    assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
    assert.match(answer, /\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/)
  })

  test('has a trailer gets it back, if the client takes trailers', async () => {
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close, TE\r\nTE: trailers\r\n'
    const chunked = '5\r\nhello\r\n0\r\nLater: yes\r\nContent-Type: a/b\r\n\r\n'
    const answer = await rawly(server, `${head}Transfer-Encoding: chunked\r\n\r\n`, chunked)
    assert.match(answer, /\r\n\r\n5\r\nhello\r\n0\r\nlater: yes\r\n\r\n$/i)
  })

  test('is HTML cannot do anything in a browser', async () => {
    const init = { method: 'POST', body: '<script>', headers: { 'Content-Type': 'text/html' } }
    const { headers } = await fetch(origin(server), init)
    assert.equal(headers.get('content-type'), 'text/html')
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('content-security-policy'), "default-src 'none'; sandbox")
  })
})

describe('a request without a body', () => {
  test('is described: headers in their order, doubles too', async () => {
    const text = await rawly(
      server,
      'GET /a%20b?x=1&x=%3Cb%3E&y HTTP/1.1\r\nHost: here\r\nb: 1\r\nA: </script>\r\nB: 2\r\n' +
        'Connection: close\r\n\r\n',
    )
    const [head, body] = text.split('\r\n\r\n') as [string, string]
    assert.match(head, /\r\nContent-Type: application\/json\r\n/)
    assert.doesNotMatch(body, /[<>&]/)
    const description = JSON.parse(body) as Description
    assert.deepEqual(description.headers, [
      ['Host', 'here'],
      ['b', '1'],
      ['A', '</script>'],
      ['B', '2'],
      ['Connection', 'close'],
    ])
    assert.deepEqual(description.query, [
      ['x', '1'],
      ['x', '<b>'],
      ['y', ''],
    ])
    const { method, path, httpVersion, peer, tls, proxy } = description
    const { address } = peer
    assert.deepEqual(
      [method, path, httpVersion, address, tls, proxy],
      ['GET', '/a%20b', '1.1', '127.0.0.1', null, null],
    )
  })

  test('is told which client a proxy forwards', async () => {
    const request = 'GET / HTTP/1.0\r\n\r\n'
    const text = await rawly(behind, `PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n${request}`)
    const told = JSON.parse(text.split('\r\n\r\n')[1]!) as Description
    assert.deepEqual(told.proxy, {
      source: '192.0.2.1',
      sourcePort: 1000,
      destination: '192.0.2.2',
      destinationPort: 80,
    })
  })

  test('HEAD, OPTIONS, DELETE and others', async () => {
    const head = await fetch(origin(server), { method: 'HEAD' })
    assert.ok(Number(head.headers.get('content-length')) > 100)
    assert.equal(await head.text(), '')
    const options = await fetch(origin(server), { method: 'OPTIONS' })
    assert.deepEqual([options.status, await options.text()], [204, ''])
    assert.match(options.headers.get('allow')!, /POST/)
    assert.equal((await describeAt('/', { method: 'DELETE' })).method, 'DELETE')
    const search = await fetch(origin(server), { method: 'SEARCH' })
    assert.deepEqual([search.status, search.headers.has('allow')], [405, true])
  })
})

describe('a directive', () => {
  test('for a status and a delay is granted, by query or header', async () => {
    const sentMs = performance.now()
    const init = { method: 'POST', body: 'x', headers: { 'X-Yodel-Status': '418' } }
    const answer = await fetch(`${origin(server)}/?delay=60ms`, init)
    assert.deepEqual([answer.status, await answer.text()], [418, 'x'])
    assert.ok(performance.now() - sentMs >= 59)
    const empty = await fetch(`${origin(server)}/?status=204`, init)
    assert.deepEqual([empty.status, await empty.text()], [204, ''])
  })

  test('that makes no sense is refused with a sentence', async () => {
    for (const directive of ['status=99', 'status=6e2', 'delay=soon', 'delay=61s', 'delay=-1s']) {
      const answer = await fetch(`${origin(server)}/?${directive}`)
      assert.equal(answer.status, 400, directive)
      assert.match(await answer.text(), /^A (status|delay) is .*, for example \?.*\.\n$/)
    }
  })

  test('for a delay does not let the next answer overtake', async () => {
    const get = (resource: string) => `GET ${resource} HTTP/1.1\r\nHost: x\r\n`
    const text = await rawly(
      server,
      `${get('/1?delay=50ms')}\r\n${get('/2')}\r\n${get('/3')}Connection: close\r\n\r\n`,
    )
    assert.deepEqual(text.match(/"path": "[^"]*"/g), [
      '"path": "/1"',
      '"path": "/2"',
      '"path": "/3"',
    ])
  })

  test('of a page from elsewhere is refused where only some may come', async () => {
    const strict = behind
    const from = (from: string) => fetch(origin(strict), { headers: { Origin: from } })
    assert.equal((await from('https://a.test')).status, 200)
    assert.equal((await from('https://b.test')).status, 403)
  })
})

describe('a server that leaves', () => {
  test('finishes what is under way and says so, in both versions', async () => {
    const leaving = await serve('http://127.0.0.1:0')
    const idle = await dial(leaving.address)
    const session = http2.connect(origin(leaving))
    const goaway = once(session, 'goaway')
    const stream = session.request({ ':method': 'POST' }, { endStream: false })
    await once(stream, 'response')
    // Last, so that a busy machine closes before it is answered.
    const delayed = fetch(`${origin(leaving)}/?delay=500ms`, { method: 'POST', body: 'late' })
    await until(() => leaving.counts().opened === 3)
    const closed = leaving.close()
    assert.equal((await readAll(idle)).length, 0)
    idle.end()
    assert.equal((await goaway)[0], 0)
    stream.end('bye')
    assert.equal(String((await once(stream, 'data'))[0]), 'bye')
    const answer = await delayed
    assert.deepEqual([await answer.text(), answer.headers.get('connection')], ['late', 'close'])
    await closed
  })

  test('after its first client', { skip: onlyFull }, async () => {
    const once = await serve('http://127.0.0.1:0', { oneOff: true })
    const init = { method: 'POST', body: 'only', headers: { Connection: 'close' } }
    assert.equal(await (await fetch(origin(once), init)).text(), 'only')
    await once.closed
  })
})

const lengthOf = (body: Buffer) => ({ 'content-length': String(body.length) })
