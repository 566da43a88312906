/** The zone of an IPv6 address: it leads there on this machine, and is not sent. */
import assert from 'node:assert/strict'
import { createServer as createHttp, type IncomingMessage } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { WebSocketServer } from 'ws'
import { connect, serve } from 'yodel'
import { startBoard } from './dashboard.ts'
import { short } from './full.ts'
import { createTypist } from './typist.ts'

const loopback = Object.entries(networkInterfaces()).find(([, addresses = []]) =>
  addresses.some(({ address }) => address === '::1'),
)
const skip = loopback ? false : 'the loopback has no IPv6'
/** Any IPv6 address may have one; that of the loopback is reached with it, too. */
const host = `::1%${loopback?.[0]}`
const type = createTypist()

test(
  'every transport is dialled with it, and certificates are made without',
  { skip },
  async () => {
    const all = ['https', 'udp', 'tcp', 'wss', 'tls', 'ws', 'http']
    for (const transport of short(all, all.slice(0, 2))) {
      await using server = await serve(`${transport}://[${host}]:0`, { engine: 'node' })
      assert.ok(server.url.startsWith(`${transport}://[${host}]:`), server.url)
      for (const alpn of transport === 'https' ? ['h2', 'http/1.1'] : [undefined]) {
        const isTls = server.fingerprint !== undefined
        const calling = isTls ? { tls: { pin: server.fingerprint, alpn: alpn ? [alpn] : [] } } : {}
        await using peer = await connect(server.url, { calling })
        assert.equal(Buffer.from((await peer.echo('hello')).reply).toString(), 'hello')
      }
    }
  },
)

async function listening(server: NetServer): Promise<number> {
  await once(server.listen(0, '::1'), 'listening')
  return (server.address() as AddressInfo).port
}

test('Host and :authority have none', { skip }, async () => {
  const seen: (string | undefined)[] = []
  const http = createHttp((request, response) => {
    seen.push(request.headers.host)
    request.pipe(response)
  })
  new WebSocketServer({ server: http }).on('connection', (ws, request: IncomingMessage) => {
    seen.push(request.headers.host)
    ws.on('message', data => ws.send(data))
  })
  const http2 = createHttp2((request, response) => {
    seen.push(request.authority)
    request.pipe(response)
  })
  const ports = await Promise.all([http, http2].map(server => listening(server as NetServer)))
  const rows: [transport: 'http' | 'ws', port: number, alpn?: string[]][] = [
    ['http', ports[0]!],
    ['ws', ports[0]!],
    ['http', ports[1]!, ['h2']],
  ]
  for (const [transport, port, alpn] of rows) {
    const calling = alpn ? { tls: { alpn } } : {}
    await using peer = await connect(`${transport}://[${host}]:${port}`, { calling })
    assert.equal(Buffer.from((await peer.echo('hello')).reply).toString(), 'hello')
    assert.equal(seen.pop(), `[::1]:${port}`)
  }
  http.close()
  http2.close()
})

test('yodel ctl takes the link that the dashboard prints', { skip }, async () => {
  await using board = await startBoard({ host })
  board.observer.start()
  assert.match(board.dashboard.link, /^http:\/\/\[::1%/)
  const typed = await type(['ctl', '--url', board.dashboard.link, 'snapshot'])
  assert.deepEqual([typed.stderr, typed.code], ['', 0])
  const refused = await type(['ctl', '--url', `[${host}]:1`, 'snapshot'])
  assert.ok(refused.stderr.includes(`dashboard at http://[${host}]:1: no server listens there`))
})
