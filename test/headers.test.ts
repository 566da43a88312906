/** Headers that are added to requests, on each transport that has any. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http, { type IncomingHttpHeaders } from 'node:http'
import http2 from 'node:http2'
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { WebSocketServer } from 'ws'
import { bench, connect, type ConnectOptions, type RunResult } from 'yodel'
import { yodel } from './program.ts'
import { createTypist } from './typist.ts'

const typed = createTypist()
const folder = mkdtempSync(join(tmpdir(), 'yodel-headers-'))
after(() => rmSync(folder, { recursive: true }))

/** What the requests had that came to it. */
const seen: IncomingHttpHeaders[] = []

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => server.close())
  return (server.address() as AddressInfo).port
}

const echoing = http.createServer((request, response) => {
  seen.push(request.headers)
  request.pipe(response)
})
const sockets = new WebSocketServer({ server: echoing })
sockets.on('connection', (socket, request) => {
  seen.push(request.headers)
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
})
const port = await portOf(echoing)
const h2port = await portOf(
  http2.createServer((request, response) => {
    seen.push(request.headers)
    request.pipe(response)
  }),
)

const headers = ['Host: shop.example:8', 'X-One: 1', 'X-One: 2', 'User-Agent: probe/1 (x; y)']
const rows: [url: string, calling: ConnectOptions['calling'], host: string][] = [
  [`http://127.0.0.1:${port}`, {}, 'host'],
  [`http://127.0.0.1:${h2port}`, { tls: { alpn: ['h2'] } }, ':authority'],
  [`ws://127.0.0.1:${port}`, {}, 'host'],
]
for (const [url, calling, host] of rows)
  test(`each request has them, and no other twice: ${url.slice(0, 4)}, ${host}`, async () => {
    seen.length = 0
    const peer = await connect(url, { calling: { ...calling, headers } })
    for (let n = 0; n < 2; n++) assert.ok((await peer.echo('hello')).latencyUs > 0)
    await peer.close()
    const load = { count: 3, warmupMs: 0, threads: 1, calling: { ...calling, headers } }
    const { messages } = await bench(url, load).finished
    assert.equal(messages.received, 3)
    assert.equal(seen.length, url.startsWith('ws') ? 2 : 5)
    for (const each of seen) {
      assert.equal(each[host], 'shop.example:8')
      assert.equal(each['x-one'], '1, 2')
      assert.equal(each['user-agent'], 'probe/1 (x; y)')
    }
  })

test('a body that streams has them, from a file, and what was usual stays', async () => {
  seen.length = 0
  const file = join(folder, 'headers')
  writeFileSync(file, '# for the shop\nAuthorization: Bearer s3cret\r\n\nX-Two: ü\n')
  const args = ['connect', `http://127.0.0.1:${port}`, '--header-file', file]
  const { code, stdout, stderr } = await yodel(args, 'hello').finished
  assert.equal(code, 0, stderr)
  assert.equal(stdout.toString(), 'hello')
  const [{ authorization, accept, ...rest }] = seen as [IncomingHttpHeaders]
  assert.deepEqual([authorization, accept, rest['x-two']], ['Bearer s3cret', '*/*', 'ü'])
})

test('a result does not tell secrets', async () => {
  const file = join(folder, 'secret')
  writeFileSync(file, 'X-Api-Key: s3cret\n')
  const own = ['--header', 'Authorization: Basic s3cret', '--header', 'X-Plain: word']
  const load = ['--count', '2', '--warmup', '0', '--threads', '1', '--header-file', file, '--json']
  const { stdout } = await typed(['bench', `http://127.0.0.1:${port}`, ...own, ...load])
  const { run } = JSON.parse(stdout) as RunResult
  assert.match(run.reproduce, /--header 'Authorization: \.\.\.' --header 'X-Plain: word'/)
  assert.match(run.reproduce, /--header-file HEADERS\.txt/)
  assert.doesNotMatch(stdout, /s3cret/)
})

test('what is no header, or would change how messages are sent, is refused', async () => {
  const file = join(folder, 'bad')
  writeFileSync(file, 'X-One 1\n')
  const bad: [args: string[], line: RegExp][] = [
    [['--header', 'X-One'], /That is not a header\. Write for example/],
    [['--header', 'X-One: a\nX-Two: b'], /That is not a header/],
    [['--header', 'Content-Length: 5'], /Content-Length is a part of how messages are sent/],
    [['--header', 'Sec-WebSocket-Key: x'], /is a part of how messages are sent/],
    [['--header', 'Host: a b'], /'a b' is not a host/],
    [['--header-file', file], /That is not a header/],
    [['--header-file', join(folder, 'none')], /none/],
  ]
  for (const [args, line] of bad) {
    const { code, stderr } = await typed(['connect', `http://127.0.0.1:${port}`, ...args])
    assert.equal(code, 2, args.join(' '))
    assert.match(stderr, line)
  }
  const { code, stderr } = await typed(['bench', ':7', '--header', 'X-One: 1'])
  assert.equal(code, 2)
  assert.match(stderr, /tcp has no headers/)
})
