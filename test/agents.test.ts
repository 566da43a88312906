/** Loads that agents send: together they send what one machine would, and the result says so. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { agent, bench, findMax, serve, type Agent, type BenchOptions } from 'yodel'
import { fleet, leave } from './fleet.ts'
import { onlyFull, short } from './full.ts'
import { listen } from './peers/server.ts'

/** A server that says what it got on each of its connections. */
async function recorder() {
  const streams: string[] = []
  const server = await listen(socket => {
    const hash = createHash('sha256')
    let bytes = 0
    socket.on('data', (data: Buffer) => {
      hash.update(data)
      bytes += data.length
      socket.write(data)
    })
    socket.on('end', () => {
      if (bytes > 0) streams.push(`${bytes} bytes, ${hash.digest('hex')}`)
      socket.end()
    })
  })
  return { server, streams }
}

const sizeBytes = [{ minBytes: 1, maxBytes: 3_000, weight: 1 }]
const load = { ratePerSecond: 500, count: 151, connections: 5, depth: 50, sizeBytes } as const

test('agents send message by message what one machine would', async () => {
  const [alone, together] = [await recorder(), await recorder()]
  await using _ = alone.server
  await using __ = together.server
  const engine = 'node'
  const one = await bench(alone.server.url, { ...load, warmupMs: 0, engine }).finished
  const expect = ['loss=0', 'p99<10s']
  const many = await fleet(together.server.url, { ...load, engine, expect, agents: 2 })
  const seconds: number[] = []
  many.run.onInterval(({ received }) => seconds.push(received))
  assert.equal((await many.run.ready).transport, 'tcp')
  const all = await many.run.finished
  await leave(many)
  assert.deepEqual(together.streams.toSorted(), alone.streams.toSorted())
  const { planned, received, lost } = all.messages
  assert.deepEqual([planned, received, lost, all.responseUs.count], [151, 151, 0, 151])
  assert.deepEqual(all.bytes, one.bytes)
  assert.deepEqual(
    all.run.parts!.map(({ slice, agent }) => [slice, agent!.name]),
    [
      ['1/2', 'a1'],
      ['2/2', 'a2'],
    ],
  )
  for (const { agent, startErrorMs, connections } of all.run.parts!) {
    assert.ok(agent!.clockErrorMs >= 0 && agent!.clockErrorMs < 1_000)
    assert.ok(startErrorMs! >= 0 && connections >= 2)
  }
  assert.equal(all.expectations.length, 2)
  const told = seconds.reduce((sum, count) => sum + count, 0)
  assert.equal(told, 151)
  assert.equal(
    all.intervals.reduce((sum, interval) => sum + interval.received, 0),
    151,
  )
  assert.match(all.run.reproduce, / --agents 2$/)
  assert.ok(!JSON.stringify(all).includes('mqtt:'), 'a result has no broker')
})

/** Plans of other kinds; their connections get the same bytes from any agent. */
const others: [name: string, options: BenchOptions][] = [
  ['poisson arrivals', { ratePerSecond: 900, count: 301, connections: 7, arrivals: 'poisson' }],
  ['stages', { stages: '0..1k/s over 400ms, 0 for 300ms, 300/s for 200ms', connections: 5 }],
  ['a warm-up', { ratePerSecond: 700, durationMs: 700, warmupMs: 300, connections: 4 }],
  ['short connections', { connections: 0, churnPerSecond: 60, durationMs: 1_000 }],
]
for (const [name, options] of others)
  test(`agents send what one machine would: ${name}`, { skip: onlyFull }, async () => {
    const [alone, together] = [await recorder(), await recorder()]
    await using _ = alone.server
    await using __ = together.server
    const patient = { drainMs: 60_000, timeoutMs: 60_000, depth: 1_000, sizeBytes }
    const whole = { warmupMs: 0, engine: 'node', ...patient, ...options } as const
    const one = await bench(alone.server.url, whole).finished
    const many = await fleet(together.server.url, { ...whole, agents: 3 })
    const all = await many.run.finished
    await leave(many)
    assert.ok(together.streams.length > 0)
    assert.deepEqual(together.streams.toSorted(), alone.streams.toSorted())
    assert.deepEqual(all.messages, { ...one.messages, deferred: all.messages.deferred })
    assert.equal(all.churn?.planned, one.churn?.planned)
  })

test(
  'agents take one run after the other, and a search all of its probes',
  { skip: onlyFull },
  async () => {
    await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
    const options: BenchOptions = { engine: 'node', connections: 2, agents: 2, warmupMs: 0 }
    const joined: Agent[] = []
    // The broker of a search lives as long as the search.
    const onEvent = (line: string) => {
      const broker = /(mqtt:\/\/\S+)/.exec(line)?.[1]
      if (broker !== undefined) joined.push(...['one', 'two'].map(name => agent(broker, { name })))
    }
    const run = findMax(server.address, {
      ...options,
      objective: 'p50<10s',
      precision: 1,
      from: 40,
      probeMs: short(1_000, 300),
      brokerListen: 'mqtt://127.0.0.1:0',
      agentTimeoutMs: 60_000,
      onEvent,
      onProbe: () => run.stop(),
    })
    const found = await run.finished
    await leave({ agents: joined })
    assert.equal(found.probes.length, 1)
    assert.ok(found.probes[0]!.achievedPerSecond > 0)
  },
)

// Every day fleet/union.test.ts shows it of plans of many kinds.
const series = 'the series of a load joins those of its agents, those of the warm-up left out'
test(series, { skip: onlyFull }, async () => {
  await using server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
  const many = await fleet(server.url, {
    engine: 'node',
    connections: 4,
    ratePerSecond: 200,
    durationMs: 1_000,
    warmupMs: 300,
    agents: 2,
  })
  const result = await many.run.finished
  await leave(many)
  assert.equal(result.messages.planned, 200)
  assert.equal(result.intervals[0]!.second, 0)
  assert.equal(
    result.intervals.reduce((sum, { received }) => sum + received, 0),
    200,
  )
  assert.equal(
    many.run.intervals.reduce((sum, { received }) => sum + received, 0),
    200,
  )
  assert.equal(many.run.snapshot().messagesReceived, 200)
})
