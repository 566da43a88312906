/** Servers that go away and come back, and a load that opens its connections again. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { TLSSocket } from 'node:tls'
import { WebSocketServer } from 'ws'
import { bench, flood, serve, type BenchOptions, type LoadRun, type Server } from 'yodel'
import { pem } from './certificates.ts'
import { freePort, until } from './client.ts'
import { onlyFull } from './full.ts'
import { listen } from './peers/server.ts'
import { missing, Program } from './program.ts'
import { loadRefusal } from './refusal.ts'

const connections = 4
const engines = ['node', 'uring'] as const
/** It ends when the test has seen enough, or else after some time. */
const steady: BenchOptions = {
  connections,
  ratePerSecond: 500,
  durationMs: 60_000,
  warmupMs: 0,
  // However long a busy machine takes for what is under way.
  drainMs: Infinity,
  reconnect: true,
}
const closed = { ratePerSecond: undefined, durationMs: Infinity }
/** How much was lost, and how late the rest was, does not matter here. */
const expect = ['loss<=100%', 'rate>0/s']
/** Of results, in the clock of the test, both rounded to a millisecond. */
const roundedMs = 3

const out = (run: LoadRun): number => {
  const { outagesBegun, outagesEnded } = run.snapshot()
  return outagesBegun - outagesEnded
}
const progress = async (run: LoadRun, figure: 'messagesPlanned' | 'messagesReceived') => {
  const wanted = run.snapshot()[figure] + 30
  await until(() => run.snapshot()[figure] >= wanted)
}

/**
 * Stops a server under a load, and starts it again. Returns what the test saw of that, and the
 * result.
 */
async function interrupted(url: string, options: BenchOptions = {}) {
  let server = await serve(url, { engine: 'node' })
  const run = bench(server.url, { ...steady, ...options })
  try {
    await run.ready
    await progress(run, 'messagesReceived')
    const killedMs = Date.now()
    await server.close('now')
    await until(() => out(run) === connections)
    const allOutMs = Date.now()
    await progress(run, 'messagesPlanned')
    const backMs = Date.now()
    server = await serve(server.url, { engine: 'node' })
    await until(() => out(run) === 0)
    const allBackMs = Date.now()
    await progress(run, 'messagesReceived')
    run.stop()
    return { result: await run.finished, killedMs, allOutMs, backMs, allBackMs }
  } finally {
    run.stop('now')
    await server.close('now')
  }
}

const insecure: BenchOptions = { calling: { tls: { insecure: true } } }
const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
process.once('exit', () => rmSync(folder, { recursive: true }))
const kinds: [name: string, url: string, options?: BenchOptions][] = [
  ['tcp', 'tcp://127.0.0.1:0'],
  // Each dial looks the name up again, and tries each of its addresses.
  ['tcp, by name', 'tcp://localhost:0'],
  ['unix', `unix:${folder}/socket`],
  ['tls', 'tls://127.0.0.1:0', insecure],
  ['ws', 'ws://127.0.0.1:0'],
  ['wss', 'wss://127.0.0.1:0', insecure],
  ['http', 'http://127.0.0.1:0'],
  ['https', 'https://127.0.0.1:0', insecure],
  ['h2c', 'http://127.0.0.1:0', { calling: { tls: { alpn: ['h2'] } } }],
]

const everyKind = engines.flatMap(engine =>
  kinds
    .filter(([name]) => engine === 'node' || !name.startsWith('h'))
    .map(([name, url, options]) => ({ name, url, options: { ...options, engine } })),
)

describe('the table says from when to when there was no echo, and what that cost, over', () => {
  for (const { name, url, options } of everyKind) {
    // What is above the socket differs between the engines; on the ring wss has all of it.
    const isDaily = options.engine === (name === 'tcp' ? 'node' : 'uring') && /tcp|wss/.test(name)
    test(`${name}, ${options.engine}`, { skip: !isDaily && onlyFull }, async context => {
      const why = loadRefusal(options.engine, /^(tls|wss)$/.test(name) ? name : 'tcp')
      if (why) return context.skip(why)
      const seen = await interrupted(url, { ...options, threads: 2, expect })
      const { verdict, failedBecause, messages, outages, errors, run } = seen.result
      assert.deepEqual([verdict, failedBecause], ['pass', []])
      assert.ok(
        Object.values(errors).every(count => count === 0),
        JSON.stringify(errors),
      )
      assert.equal(outages!.rows.length, 1)
      const [row] = outages!.rows
      const atMs = (seconds: number | null) => Date.parse(run.startedAt) + seconds! * 1e3
      const between = (from: number, seconds: number | null, to: number) =>
        assert.ok(from - roundedMs <= atMs(seconds) && atMs(seconds) <= to + roundedMs, said())
      const said = () => JSON.stringify({ ...seen, result: outages, at: run.startedAt })
      between(seen.killedMs, row!.beginSeconds, seen.allOutMs)
      between(seen.backMs, row!.openSeconds, seen.allBackMs)
      between(seen.backMs, row!.endSeconds, seen.allBackMs)
      assert.ok(row!.openSeconds! <= row!.endSeconds!)
      assert.equal(row!.connections, connections)
      const firstMs = row!.firstEchoUs! / 1e3
      assert.ok(firstMs > 0 && firstMs <= seen.allBackMs - seen.backMs + 2 * roundedMs, said())
      // Lost is what was planned for that time, and what was in flight; nothing else.
      assert.deepEqual([row!.lost, outages!.lost], [messages.lost, messages.lost])
      assert.ok(row!.lost >= (seen.backMs - seen.allOutMs - 2 * roundedMs) / 2 - 1, said())
      assert.equal(messages.planned, messages.received + messages.lost)
      assert.equal(outages!.reconnects, connections)
      const broke = Object.values(row!.breaks).reduce((sum, n) => sum + n, 0)
      assert.equal(broke, connections)
    })
  }
})

const anywhere = 'wherever a stream breaks, nothing of the old connection gets into the new one'
const identity = { cert: pem('server.pem'), key: pem('server.key'), isServer: true }
for (const engine of engines) onEngine(engine)

function onEngine(engine: (typeof engines)[number]) {
  const refusal = loadRefusal(engine)
  // Every day each of the two is shown on one engine; the table shows refused dials of both.
  const skip = refusal || (engine === 'uring' && onlyFull)
  const skipOnOther = refusal || (engine === 'node' && !loadRefusal('uring') && onlyFull)
  const stays = 'if a server stays away its connections have failed; without it nothing is new'
  test(`${stays}: ${engine}`, { skip }, async () => {
    for (const reconnect of [true, false]) {
      await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
      const run = bench(server.url, { ...steady, reconnect, engine, expect })
      await run.ready
      await progress(run, 'messagesReceived')
      await server.close('now')
      if (reconnect) {
        await until(() => out(run) === connections)
        await progress(run, 'messagesPlanned')
        run.stop()
      }
      const { failedBecause, outages, firstWrong } = await run.finished
      if (!reconnect) {
        assert.match(failedBecause.join(' '), /\d connections? failed: (reset|closedEarly)/)
        assert.equal(outages, undefined)
        continue
      }
      assert.ok(failedBecause.includes('4 connections failed: refused.'), failedBecause.join(' '))
      const [row] = outages!.rows
      assert.deepEqual([row!.openSeconds, row!.endSeconds, row!.firstEchoUs], [null, null, null])
      assert.ok(row!.failedDials.refused! > 0)
      assert.equal(firstWrong, null)
    }
  })

  const lost = 'what is unanswered at a break is lost, and the payload goes on where it was'
  test(`${lost}: ${engine}`, { skip: skipOnOther }, async () => {
    // The server echoes four messages of each connection, and the fifth is the last that it reads.
    await using server = await breaking(() => 4 * 64)
    const load = { ...steady, ...closed, engine, connections: 1, count: 50 }
    const result = await bench(server.url, load).finished
    const { messages, outages, errors, failedBecause } = result
    assert.deepEqual([messages.planned, messages.lost, messages.wrong], [50, 10, 0])
    assert.deepEqual(failedBecause.slice(0, 1), ['10 messages did not come back.'])
    // Whether the load was over when the last one broke is chance.
    assert.ok(
      outages!.lost === 10 || (outages!.lost === 9 && errors.closedEarly + errors.reset === 1),
    )
    const options = { reconnect: true, count: 50, connections: 1, engine }
    const flooded = await flood(server.url, options).finished
    assert.equal(flooded.outages!.lost > 0, true)
  })

  for (const kind of ['tcp', 'tls', 'wss'] as const) {
    // Only on the ring do the three have code of their own for that.
    const skipKind = kind !== 'tcp' && (loadRefusal(engine, kind) || onlyFull)
    test(`${anywhere}: ${kind}, ${engine}`, { skip: skip || skipKind }, async () => {
      let connected = 0
      // From within the first message to far behind what sockets hold.
      const most = () => 1 + ((++connected * 77_773) % 900_001)
      await using server = await (kind === 'wss' ? breakingMessages(most) : breaking(most, kind))
      const url = server.url.replace('tcp:', `${kind}:`)
      const sizeBytes = [
        { minBytes: 1, maxBytes: 300, weight: 3 },
        { minBytes: 20_000, maxBytes: 300_000, weight: 2 },
      ]
      const load = { ...steady, ...closed, engine, connections: 6, depth: 8, count: 400, sizeBytes }
      const options = kind === 'tcp' ? load : { ...load, ...insecure }
      const { messages, outages, verdict, run } = await bench(url, options).finished
      assert.deepEqual([run.engine, messages.planned, messages.wrong], [engine, 400, 0])
      assert.equal(messages.received + messages.lost, 400)
      assert.ok(outages!.reconnects >= 6 && messages.received > 0, JSON.stringify(outages))
      assert.equal(verdict, 'fail')
    })
  }
}

/** Echoes so many bytes of each connection, and then breaks it: with tcp it resets it. */
const breaking = (most: () => number, kind = 'tcp') =>
  listen(raw => {
    const socket = kind === 'tls' ? new TLSSocket(raw, identity).on('error', () => {}) : raw
    let left = most()
    socket.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) void (kind === 'tls' ? socket.destroy() : socket.resetAndDestroy())
      else if (!socket.write(chunk)) socket.pause()
    })
    socket.on('drain', () => socket.resume())
    socket.on('end', () => socket.end())
  })

/** The same with messages, over wss. */
async function breakingMessages(most: () => number) {
  const https = createServer(identity)
  const server = new WebSocketServer({ server: https })
  server.on('connection', socket => {
    let left = most()
    socket.on('error', () => {})
    socket.on('message', (data: Buffer) => {
      left -= data.length
      if (left < 0) socket.terminate()
      else socket.send(data)
    })
  })
  await once(https.listen(0, '127.0.0.1'), 'listening')
  const url = `wss://127.0.0.1:${(https.address() as AddressInfo).port}`
  return {
    url,
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate()
      await new Promise(resolve => https.close(resolve))
    },
  }
}

test('datagrams and a load without steady connections refuse in a sentence', async () => {
  const udp = bench('udp://127.0.0.1:9', { reconnect: true }).finished
  await assert.rejects(udp, /no connections on udp that could be opened again/)
  const none = bench('tcp://127.0.0.1:9', { reconnect: true, connections: 0, idle: 1 }).finished
  await assert.rejects(none, /Only steady connections are opened again/)
})

const skip = missing('haproxy') || onlyFull
test('two servers behind haproxy, deployed one after the other', { skip }, async () => {
  const front = await freePort()
  const servers: Server[] = []
  for (let n = 0; n < 2; n++) servers.push(await serve('tcp://127.0.0.1:0', { engine: 'node' }))
  const backends = servers.map(
    ({ address }, n) => ` server s${n} 127.0.0.1:${(address as { port: number }).port}`,
  )
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(
    file,
    `defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m
listen front\n bind 127.0.0.1:${front}\n balance roundrobin\n option redispatch
${backends.join('\n')}\n`,
  )
  await using _ = new Program('haproxy', ['-db', '-f', file], 'ignore')
  const url = `tcp://127.0.0.1:${front}`
  await until(
    async () =>
      (await bench(url, { count: 1, warmupMs: 0 }).finished.catch(() => undefined))?.verdict ===
      'pass',
  )
  const run = bench(url, { ...steady, expect })
  await run.ready
  await progress(run, 'messagesReceived')
  for (const [n, server] of servers.entries()) {
    const before = run.snapshot().outagesBegun
    await server.close('now')
    await until(() => run.snapshot().outagesBegun > before && out(run) === 0)
    await progress(run, 'messagesReceived')
    servers[n] = await serve(server.url, { engine: 'node' })
    await progress(run, 'messagesReceived')
  }
  run.stop()
  const { outages, messages, verdict, failedBecause } = await run.finished
  assert.deepEqual([verdict, failedBecause], ['pass', []])
  assert.equal(outages!.lost, messages.lost)
  assert.ok(
    outages!.rows.length >= 2 && outages!.rows.every(({ endSeconds }) => endSeconds !== null),
  )
  for (const server of servers) await server.close('now')
})
