/** Large bodies behind a proxy: ?after=body, and what is said if a server closes within a body. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { serve, type Server } from 'yodel'
import { pattern } from './client.ts'
import { onlyFull } from './full.ts'
import { origin, post1, post2, type Answer } from './http-client.ts'
import { listen } from './peers/server.ts'
import { yodel } from './program.ts'

let server: Server
before(async () => (server = await serve('http://127.0.0.1:0')))
after(() => server.close('now'))

test('nothing is answered before a body is complete; then its length is known', async () => {
  const body = pattern(1_000_000, 1)
  const parts = [body.subarray(0, 400_000), body.subarray(400_000)]
  const request = http.request(`${origin(server)}/?after=body`, { method: 'POST' })
  let answered = false
  const response = once(request, 'response').finally(() => (answered = true))
  request.write(parts[0])
  // The others are answered meanwhile, by header and in HTTP/2, too.
  const session = http2.connect(origin(server))
  const directive = { 'x-yodel-after': 'body' }
  for (const answer of [
    await post1(server, 'PUT', directive, parts),
    await post2(session, 'POST', { ':path': '/?after=body' }, parts),
  ]) {
    assert.ok(answer.body.equals(body))
    assert.equal(answer.headers['content-length'], '1000000')
  }
  session.close()
  assert.equal(answered, false)
  request.end(parts[1])
  const [answer] = (await response) as [http.IncomingMessage]
  assert.ok(Buffer.concat((await answer.toArray()) as Buffer[]).equals(body))
})

test('what may be held is bounded, and given back', async () => {
  const mebibytes = (count: number) => Array.from({ length: count }, () => Buffer.alloc(2 ** 20))
  const directive = { 'x-yodel-after': 'body' }
  const announced = { ...directive, 'content-length': 5 * 2 ** 20 }
  assert.equal((await post1(server, 'POST', announced, mebibytes(5))).status, 413)
  assert.equal((await post1(server, 'POST', directive, mebibytes(5))).status, 413)
  const session = http2.connect(origin(server))
  const post = (count: number): Promise<Answer> =>
    post2(session, 'POST', directive, mebibytes(count))
  const both = await Promise.all([post(3), post(3)])
  assert.ok(both.some(({ status }) => status === 413))
  for (let n = 0; n < 3; n++) assert.equal((await post(3)).body.length, 3 * 2 ** 20)
  session.close()
})

test('faults hit what was held', { skip: onlyFull }, async () => {
  await using faulty = await serve('http://127.0.0.1:0', {
    faults: [{ kind: 'slice', minBytes: 10, maxBytes: 10 }],
  })
  const answer = await post1(faulty, 'POST', { 'x-yodel-after': 'body' }, [pattern(1_000, 2)])
  assert.ok(answer.body.equals(pattern(1_000, 2)))
})

test('other moments are none', async () => {
  const response = await fetch(`${origin(server)}/?after=lunch`, { method: 'POST', body: 'a' })
  assert.equal(response.status, 400)
  assert.match(await response.text(), /after=body/)
})

const hinted = 'a server that finishes within a large body: what it had answered, and a hint'
test(hinted, { skip: onlyFull }, async () => {
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
  for (const [answer, bytes, begun] of [
    [head, 5_000_000, ' It had begun to answer: HTTP/1.1 200 OK.'],
    ['', 5_000_000, ''],
    ['', 3, undefined],
  ] as const) {
    // Ends after all of a small body, or after a part of a large one, so that there is still input.
    await using server = await listen(socket => {
      let received = 0
      socket.once('data', () => socket.write(answer))
      socket.on('data', (data: Buffer) => {
        received += data.length
        if (received > 200_000 || data.toString('latin1').endsWith('0\r\n\r\n')) socket.end()
      })
    })
    const url = server.url.replace('tcp', 'http')
    await using program = yodel(['connect', url], pattern(bytes, 1))
    const { code, stderr } = await program.finished
    assert.equal(code, 1)
    assert.match(stderr, /^yodel: the (server finished|connection broke)/)
    const hint = `${begun} Behind nginx a large body may hang; \`proxy_request_buffering off\``
    if (begun === undefined) assert.match(stderr, / missing\.\n$/)
    else assert.ok(stderr.includes(` missing.${hint}`), stderr)
  }
})

test('a server that only reads is waited for as long as --timeout says', async () => {
  await using mute = await listen(socket => socket.resume())
  const url = mute.url.replace('tcp', 'http')
  // More than is sent before some comes back; and stdin does not end.
  await using program = yodel(['connect', url, '--timeout', '200ms'], 'open')
  program.child.stdin!.write(Buffer.alloc(5_000_000))
  const { code, stderr } = await program.finished
  assert.equal(code, 1)
  assert.match(stderr, /^yodel: no answer came within 200ms: [\d,]+ bytes sent, 0 came back/)
})

const deafly = 'a server that does not read is waited for as long as --timeout says'
test(deafly, { skip: onlyFull }, async () => {
  const open = new Set<Socket>()
  const deaf = createServer(socket => {
    open.add(socket.pause())
    socket.on('error', () => {})
  })
  deaf.listen(0, '127.0.0.1')
  await once(deaf, 'listening')
  const { port } = deaf.address() as AddressInfo
  // More than the buffers of both ends take.
  const much = Buffer.alloc(20_000_000)
  await using program = yodel(['connect', `http://127.0.0.1:${port}`, '--timeout', '200ms'], much)
  const { code, stderr } = await program.finished
  assert.equal(code, 1)
  assert.match(stderr, /^yodel: no answer came within 200ms: [\d,]+ bytes sent, 0 came back/)
  for (const socket of open) socket.destroy()
  deaf.close()
})
