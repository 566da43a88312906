/**
 * If others wait, a client with an unfinished handshake is closed; one that finishes is served on.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTls } from 'node:tls'
import { describe, test } from 'node:test'
import { connect, serve, type ServeOptions } from 'yodel'
import { clientHello } from '../benchmarks/misuse.ts'
import { dial, dialMany, dialTls, echo, ending, until } from './client.ts'
import { request } from './frames.ts'
import { onlyFull, short } from './full.ts'
import { portOf } from './program.ts'
import { refusal } from './refusal.ts'

/** A hang is a failure; and no time of a handshake ends here by itself. */
const timeout = 60_000
const patient: ServeOptions = { engine: 'node', handshakeTimeoutMs: 3600_000 }
const onRing: ServeOptions = { engine: 'uring' }
const noRing = refusal('uring')

const hello = (await clientHello).subarray(0, 100)
const head = 'POST / HTTP/1.1\r\nHost: x\r\n'
const proxy: ServeOptions['proxy'] = { mode: 'require', from: ['127.0.0.1'] }

/** Half a handshake, for which transport; and what else that server needs. */
const halves: [name: string, transport: string, said: Buffer | string, options?: ServeOptions][] = [
  ['a hello', 'tls', hello],
  ['silence', 'tls', ''],
  ['a hello to the ring', 'tls', hello, onRing],
  ['silence before the ring', 'tls', '', onRing],
  ['an upgrade', 'ws', request().slice(0, 60)],
  ['an upgrade on the ring', 'ws', request().slice(0, 60), onRing],
  ['a hello', 'wss', hello],
  ['a head', 'http', head],
  ['a preface', 'http', 'PRI * HTTP/2.0\r\n'],
  ['a hello', 'https', hello],
  ['a PROXY header', 'tcp', 'PROXY TCP4 127.0', { proxy }],
]
/** The others are made of the same parts. */
const daily = ['tls a hello', 'http a head', 'tls a hello to the ring']

describe('with all places taken', { timeout, concurrency: true }, () => {
  for (const [name, transport, said, options] of halves)
    test(
      `${transport}: a client in the midst of ${name} makes room`,
      {
        skip:
          (!daily.includes(`${transport} ${name}`) && onlyFull) ||
          (options?.engine === 'uring' && noRing),
      },
      async () => {
        const url = `${transport}://127.0.0.1:0`
        await using server = await serve(url, { ...patient, concurrency: 3, ...options })
        const port = portOf(server.url)
        const stuck = await dialMany(port, 3)
        const gone = stuck.map(socket => ending(socket))
        for (const socket of stuck) socket.write(said)
        await until(() => server.counts().open === 3)
        const isSecure = said === '' || said === hello
        const calling = {
          ...(isSecure && { tls: { insecure: true } }),
          ...(options?.proxy && { sendProxy: 1 as const }),
        }
        await using client = await connect(server.url, { calling })
        assert.equal(Buffer.from((await client.echo('new')).reply).toString(), 'new')
        // For each client that comes in, one makes room.
        await Promise.race(gone)
        const { open, timedOut } = server.snapshot()
        assert.deepEqual([open, timedOut], [3, 1])
        for (const socket of stuck) socket.destroy()
      },
    )
})

const secureEngines = [
  ['node', false],
  ['uring', noRing],
] as const
for (const [engine, skip] of secureEngines) {
  const thousand = `${engine}: 1,000 half handshakes make room for a new client`
  test(thousand, { timeout, skip: skip || onlyFull }, async () => {
    await using server = await serve('tls://127.0.0.1:0', { ...patient, engine })
    const sockets = await dialMany(portOf(server.url), 1_000)
    for (const socket of sockets) socket.on('error', () => {}).write(hello)
    const client = await dialTls(server.address)
    assert.equal(await echo(client, 'new'), 'new')
    for (const socket of [client, ...sockets]) socket.destroy()
  })

  const keeps = `${engine}: a client that finishes in time keeps its place, and the next one waits`
  test(keeps, { timeout, skip }, async () => {
    const options = { ...patient, engine, concurrency: 1 }
    await using server = await serve('tls://127.0.0.1:0', options)
    const slow = await dial(server.address)
    await until(() => server.counts().open === 1)
    const next = dialTls(server.address)
    await new Promise(resolve => setTimeout(resolve, 300))
    const first = connectTls({ socket: slow, rejectUnauthorized: false })
    await once(first, 'secureConnect')
    assert.equal(await echo(first, 'first'), 'first')
    // Served: it may be silent for as long as it wants, and has its place still.
    await new Promise(resolve => setTimeout(resolve, short(1_500, 300)))
    assert.equal(await echo(first, 'again'), 'again')
    first.end()
    assert.equal(await echo(await next, 'next'), 'next')
    ;(await next).destroy()
  })
}
