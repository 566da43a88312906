/** Rules of RFC 9110 and RFC 9112, a request each: which status, and which headers. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { after, before, test } from 'node:test'
import { serve, type Server } from 'yodel'
import { dial, dialTls, readAll, until } from './client.ts'
import { onlyFull } from './full.ts'
import { origin, rawly } from './http-client.ts'

let server: Server
before(async () => (server = await serve('http://127.0.0.1:0', { handshakeTimeoutMs: 200 })))
after(() => server.close('now'))

const close = 'Connection: close\r\n\r\n'
const host = `Host: x\r\n${close}`
const get = (line: string, headers = host) => `${line}\r\n${headers}`
const status = (code: number) => get(`GET /?status=${code} HTTP/1.1`)
const basic = 'Basic realm="yodel"'
const knows = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'

/** Null: no such header. */
type Headers = Record<string, string | RegExp | null>
const rules: [request: string, status: number, headers?: Headers][] = [
  [get('GET /a?b HTTP/1.1'), 200],
  [get('GET / HTTP/1.0', '\r\n'), 200],
  [get('POST / HTTP/1.0', 'Content-Length: 2\r\n\r\nhi'), 200, { 'transfer-encoding': null }],
  [`\r\n\r\n${get('GET / HTTP/1.1')}`, 200],
  // Methods: RFC 9110 section 9.1.
  [get('FOO / HTTP/1.1'), 501],
  [get('get / HTTP/1.1'), 501],
  [get('GETS /a?b HTTP/1.0'), 501],
  [get('hello'), 400],
  ['hello', 400],
  [get('FOO /'), 400],
  [get('TRACE / HTTP/1.1'), 405, { allow: knows }],
  [get('PROPFIND / HTTP/1.1'), 405, { allow: knows }],
  [get('CONNECT a.test:1 HTTP/1.1'), 405, { allow: knows }],
  [get('OPTIONS / HTTP/1.1'), 204, { allow: knows, 'content-length': null }],
  [get('OPTIONS * HTTP/1.1'), 204, { allow: knows }],
  // Versions: RFC 9110 section 2.5.
  [get('GET / HTTP/2.0'), 505],
  [get('GET / HTTP/3.7'), 505],
  [get('GET / HTTP/1.2'), 505],
  [get('GET / HTTP/x'), 400],
  // Targets: RFC 9112 section 3.2.
  [get('GET * HTTP/1.1'), 400],
  [get('POST * HTTP/1.1'), 400],
  [get('GET a HTTP/1.1'), 400],
  [get('GET a.test:80 HTTP/1.1'), 400],
  [get('GET /a#b HTTP/1.1'), 400],
  [get('GET http://a.test:1/b?c HTTP/1.1'), 200],
  [get('GET HTTPS://[::1]?c HTTP/1.1'), 200],
  [get('GET http:///a HTTP/1.1'), 400],
  [get('GET http://:80/a HTTP/1.1'), 400],
  [get('GET http://a@b/ HTTP/1.1'), 400],
  [get('GET ftp://a/ HTTP/1.1'), 400],
  [get(`GET /${'a'.repeat(20_000)} HTTP/1.1`), 414],
  [get('GET / HTTP/1.1', `A: ${'a'.repeat(20_000)}\r\n${host}`), 431],
  // Hosts: RFC 9112 section 3.2.
  ...['', ':1', 'a.test:', 'a_b:80', '[::1]:80', '1.2.3.4', '%41', 'a,b'].map(
    (name): [string, number] => [get('GET / HTTP/1.1', `Host: ${name}\r\n${close}`), 200],
  ),
  ...['a b', 'a/b', 'a@b', 'a:b', '::1', '[::1', '[fe80::1%lo]', '%4', 'ä'].map(
    (name): [string, number] => [get('GET / HTTP/1.1', `Host: ${name}\r\n${close}`), 400],
  ),
  [get('GET / HTTP/1.0', 'Host: a b\r\n\r\n'), 400],
  // Expectations: RFC 9110 section 10.1.1.
  [get('GET / HTTP/1.1', `Expect: wonders\r\n${host}`), 417],
  [get('GET / HTTP/1.0', 'Expect: wonders\r\n\r\n'), 200],
  // What belongs to a status: RFC 9110 section 15.
  [status(401), 401, { 'www-authenticate': basic }],
  [status(405), 405, { allow: knows }],
  [status(407), 407, { 'proxy-authenticate': basic }],
  [status(204), 204, { 'content-length': null, 'transfer-encoding': null }],
  [status(205), 205, { 'content-length': '0' }],
  [status(304), 304, { 'transfer-encoding': null }],
  // Late headers.
  ['GET / HTTP/1.1\r\nHo', 408],
]

test('each request gets its status, the date, and what belongs to it', async () => {
  await Promise.all(
    rules.map(async ([request, wanted, headers = {}]) => {
      const name = JSON.stringify(request.slice(0, 60))
      const [head = '', body = ''] = (await rawly(server, request)).split('\r\n\r\n')
      const [first, ...lines] = head.split('\r\n')
      assert.match(first!, new RegExp(`^HTTP/1\\.1 ${wanted} [A-Z]`), name)
      const came = new Map(
        lines.map(line => [line.split(':')[0]!.toLowerCase(), line.slice(line.indexOf(':') + 2)]),
      )
      assert.ok(Math.abs(Date.parse(came.get('date')!) - Date.now()) < 60_000, name)
      assert.equal(came.get('connection'), 'close', name)
      if (came.has('content-length')) assert.equal(+came.get('content-length')!, body.length, name)
      for (const [header, value] of Object.entries(headers))
        assert.equal(came.get(header) ?? null, value, `${name}: ${header}`)
    }),
  )
})

const targets = ['/', '/a?b', '/a%20b', '/?delay=1ms', '/?after=body', '/?status=x', '/?delay=x']
for (const n of [200, 201, 204, 205, 206, 301, 304, 401, 404, 405, 407, 500, 503])
  targets.push(`/?status=${n}`)

test('HEAD gets the head of GET, over HTTP/1.1', async () => {
  const headOf = (text: string) => text.slice(0, text.indexOf('\r\n\r\n') + 4)
  const dateless = (text: string) => text.replace(/^Date: .*$/m, '')
  for (const headers of [host, `Origin: https://a.test\r\n${host}`])
    await Promise.all(
      targets.map(async target => {
        const [head, ofGet] = await Promise.all(
          ['HEAD', 'GET'].map(method =>
            rawly(server, get(`${method} ${target} HTTP/1.1`, headers)),
          ),
        )
        assert.equal(dateless(head!), dateless(headOf(ofGet!)), target)
      }),
    )
})

test('HEAD gets the head of GET, over HTTP/2', async () => {
  const session = http2.connect(origin(server))
  const headOf = async (method: string, target: string) => {
    const stream = session.request({ ':method': method, ':path': target })
    const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
    stream.resume()
    return { ...answer, date: '' }
  }
  const heads = await Promise.all(
    targets.map(target => Promise.all([headOf('HEAD', target), headOf('GET', target)])),
  )
  session.destroy()
  for (const [n, [head, ofGet]] of heads.entries()) assert.deepEqual(head, ofGet, targets[n])
})

test('HTTP/2 has the same rules', async () => {
  const session = http2.connect(origin(server))
  const ask = async (headers: http2.OutgoingHttpHeaders) => {
    const stream = session.request(headers)
    const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
    stream.resume()
    return answer
  }
  for (const [headers, code] of [
    [{ ':method': 'FOO' }, 501],
    [{ ':method': 'TRACE' }, 405],
    [{ ':method': 'POST', expect: 'wonders' }, 417],
    [{ ':authority': 'a:b' }, 400],
    [{ ':path': '/a#b' }, 400],
    [{ ':method': 'OPTIONS', ':path': '*' }, 204],
    [{ ':path': '/?status=401' }, 401],
  ] as [http2.OutgoingHttpHeaders, number][]) {
    const answer = await ask(headers)
    assert.equal(answer[':status'], code, JSON.stringify(headers))
    assert.ok(answer.date)
    if (code === 405) assert.equal(answer.allow, knows)
  }
  const connecting = session.request({ ':method': 'CONNECT', ':authority': 'a.test:1' })
  const [answer] = (await once(connecting, 'response')) as [http2.IncomingHttpHeaders]
  assert.deepEqual([answer[':status'], answer.allow], [405, knows])
  session.destroy()
})

test('garbage and then RST is one failure', async () => {
  const { protocol, reset } = server.counts()
  for (const garbage of ['hello\r\n', get('GET / HTTP/1.1', 'Host: a b\r\n\r\n')]) {
    const socket = await dial(server.address)
    socket.write(garbage)
    await once(socket, 'data')
    socket.resetAndDestroy()
    await until(() => server.counts().open === 0)
  }
  assert.deepEqual([server.counts().protocol, server.counts().reset], [protocol + 2, reset])
})

test('HTTP/1.0 is agreed on by ALPN, too', { skip: onlyFull }, async () => {
  await using secret = await serve('https://127.0.0.1:0')
  const where = secret.address as { port: number }
  const socket = await dialTls(where, { ALPNProtocols: ['http/1.0'] })
  assert.equal(socket.alpnProtocol, 'http/1.0')
  socket.write('GET / HTTP/1.0\r\n\r\n')
  const answer = (await readAll(socket)).toString()
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/)
  assert.match(answer, /"alpn": "http\/1.0"/)
  socket.destroy()
  const both = await dialTls(where, { ALPNProtocols: ['http/1.0', 'http/1.1'] })
  assert.equal(both.alpnProtocol, 'http/1.1')
  both.destroy()
})
