/** In one direction over HTTP: up is a POST, down is a GET. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { measureDirection, measureLoaded, serve, type Server } from 'yodel'
import type * as Outlines from '../src/report/direction/outline.ts'
import type * as Frames from '../src/wire/direction/frames.ts'
import type * as Hello from '../src/wire/direction/hello.ts'
import { onlyFull } from './full.ts'
import { root } from './program.ts'
import { mistakesIn } from './schemas.ts'
import { createTypist } from './typist.ts'

const wire = `${root}dist/wire/direction/`
const { frameKinds, SessionFrameReader } = (await import(`${wire}frames.js`)) as typeof Frames
const { writeHello } = (await import(`${wire}hello.js`)) as typeof Hello
const outlinePath = `${root}dist/report/direction/outline.js`
const { outlineOfLoaded } = (await import(outlinePath)) as typeof Outlines
const typist = createTypist()
const short = { durationMs: 100, warmupMs: 0, ratePerSecond: 500, sizeBytes: 1_000 } as const

let paired: Server
let plain: Server
before(async () => {
  paired = await serve('http://127.0.0.1:0', { directions: true })
  plain = await serve('http://127.0.0.1:0')
})
after(() => Promise.all([paired.close('now'), plain.close('now')]))
const portOf = ({ address }: Server) => (address as { port: number }).port

const id = '0123456789abcdef'.repeat(2)
const hello = { mode: 'down', id, seed: 1, flow: 0, sizeBytes: 500, ratePerSecond: 1_000 } as const
const get = (url: string, session: string) => fetch(url, { headers: { 'yodel-session': session } })

test('what one types is what goes over the wire: POST up, GET down, POST both ways', async () => {
  const heads: string[] = []
  const path = createServer(client => {
    const far = connect(portOf(paired), '127.0.0.1')
    client.once('data', chunk => heads.push(chunk.toString('latin1').split(' HTTP')[0]!))
    client.pipe(far).pipe(client)
    for (const socket of [client, far]) socket.on('error', () => {})
  }).listen(0)
  await once(path, 'listening')
  const url = `http://127.0.0.1:${(path.address() as { port: number }).port}/some?where`
  for (const direction of ['up', 'down', 'both'] as const) {
    const result = await measureDirection(url, { direction, ...short }).finished
    assert.deepEqual(result.failedBecause, [])
  }
  path.close()
  assert.deepEqual(heads, ['POST /some?where', 'GET /some?where', 'POST /some?where'])
})

test('any client may GET it: chunks of frames, for as long as it asked', async () => {
  const bytes = writeHello({ ...hello, lastsMs: 100 })
  const answer = await get(paired.url, bytes.toString('base64url'))
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('transfer-encoding'), 'chunked')
  let payload = 0
  const kinds: number[] = []
  let sentBytes = 0
  const reader = new SessionFrameReader({
    onPayload: (_, from, to) => (payload += to - from),
    onFrame: (kind, body) => {
      kinds.push(kind)
      if ('sentBytes' in body) ({ sentBytes } = body)
    },
  })
  reader.push(Buffer.from(await answer.arrayBuffer()))
  assert.deepEqual([reader.broken, ...kinds], [undefined, frameKinds.accepted, frameKinds.end])
  assert.ok(payload > 0 && payload % 500 === 0)
  assert.equal(payload, sentBytes)
})

test('over HTTP/2, too', async () => {
  const options = { direction: 'down', ...short } as const
  const calling = { tls: { alpn: ['h2'] } }
  const { down, failedBecause } = await measureDirection(paired.address, { ...options, calling })
    .finished
  assert.deepEqual(failedBecause, [])
  assert.equal(down!.sentBytes, down!.receivedBytes)
})

test('one that has no end ends with the client', async () => {
  const options = { ...short, durationMs: Infinity, direction: 'down' } as const
  const run = measureDirection(paired.address, options, 'flood')
  await run.ready
  while (run.snapshot().bytesIn < 5_000) await new Promise(resolve => setTimeout(resolve, 5))
  run.stop()
  const { down, failedBecause, notes } = await run.finished
  assert.deepEqual([failedBecause, notes, down!.wrongBytes], [[], [], 0])
  assert.ok(down!.receivedBytes > 0)
})

test(
  'under load, what https has is called RPM, and is asked over new connections',
  { skip: onlyFull },
  async () => {
    await using server = await serve('https://127.0.0.1:0', { directions: true })
    const window = { durationMs: 200, warmupMs: 50, ratePerSecond: 20 }
    const expect = ['rpm>0']
    const options = { load: 'both:1', ...window, expect, calling: { tls: { insecure: true } } }
    const result = await measureLoaded(server.address, options).finished
    assert.deepEqual(mistakesIn('loaded', result), [])
    const { foreignProbes, tcpMs, tlsMs, httpMs, rpm, because } = result.responsiveness!
    assert.ok(foreignProbes > 0 && tcpMs! > 0 && tlsMs! > 0 && httpMs! > 0)
    // Of so short a run perhaps no kernel has told anything.
    assert.equal(rpm === null, because !== null)
    // What is not known does not hold.
    const missed = rpm === null ? ['Expected rpm>0, not known.'] : []
    assert.deepEqual(result.failedBecause, missed)
    const names = outlineOfLoaded(result).figures.map(([name]) => name)
    assert.deepEqual(
      [names.includes('RPM'), names.includes('round trips per minute')],
      [true, false],
    )
  },
)

test('a GET that asks for something else is refused, or described', async () => {
  const up = writeHello({ ...hello, mode: 'up' }).toString('base64url')
  for (const session of ['1', 'rubbish', up]) {
    const answer = await get(paired.url, session)
    assert.equal(answer.status, 400)
    assert.match(await answer.text(), /the beginning of a session downwards/)
  }
  // A server that does not serve it describes the request, as any GET.
  const { code, stderr } = await typist(['bench', plain.url, '--direction', 'down'])
  assert.equal(code, 3)
  assert.match(stderr, /does not serve directions: it echoes the request like any other\./)
  assert.match(stderr, /yodel serve --directions/)
})

test('connections for round trips under load are open before the path is full', async () => {
  const heads: string[] = []
  const path = createServer(client => {
    const n = heads.push('') - 1
    const far = connect(portOf(paired), '127.0.0.1')
    client.once('data', chunk => (heads[n] = chunk.toString('latin1')))
    client.pipe(far).pipe(client)
    for (const socket of [client, far]) socket.on('error', () => {})
  }).listen(0)
  await once(path, 'listening')
  const url = `http://127.0.0.1:${(path.address() as { port: number }).port}`
  const options = { load: 'up:1', durationMs: 200, warmupMs: 0, ratePerSecond: 10 } as const
  const { failedBecause, loaded } = await measureLoaded(url, options).finished
  path.close()
  assert.deepEqual(failedBecause, [])
  assert.ok(loaded.messages.received > 0)
  const flows = heads.map(head => /yodel-session/i.test(head))
  assert.deepEqual([flows.filter(Boolean).length, flows.at(-1)], [1, true])
})
