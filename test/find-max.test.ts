/** findMax() against servers whose limit is known. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import { full, onlyFull } from './full.ts'
import { findMax, serve, UserError, type FindMaxOptions, type FindMaxRun, type Probe } from 'yodel'
import { listen } from './peers/server.ts'

const sizeBytes = 64

/** An echo server that answers so many messages per second at most, and lets the others queue. */
async function limitedServer(ratePerSecond: number) {
  const queue: { dueMs: number; socket: Socket; data: Buffer }[] = []
  let freeMs = 0
  const server = createServer({ noDelay: true }, socket => {
    socket.on('error', () => {})
    socket.on('data', (data: Buffer) => {
      const costMs = (data.length / sizeBytes / ratePerSecond) * 1e3
      freeMs = Math.max(freeMs, performance.now()) + costMs
      queue.push({ dueMs: freeMs, socket, data })
    })
  })
  const timer = setInterval(() => {
    while (queue.length > 0 && queue[0]!.dueMs <= performance.now()) {
      const { socket, data } = queue.shift()!
      if (socket.writable) socket.write(data)
    }
  }, 1)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = async () => {
    clearInterval(timer)
    await new Promise(resolve => server.close(resolve))
  }
  return { url, [Symbol.asyncDispose]: close }
}

const short: FindMaxOptions = {
  objective: 'p50<25ms',
  connections: 8,
  depth: 16,
  sizeBytes,
  probeMs: 150,
  warmupMs: 50,
  drainMs: 100,
  engine: 'node',
}

test('finds the limit of a server, and its probes show how', async () => {
  await using server = await limitedServer(500)
  const heard: Probe[] = []
  const onProbe = (probe: Probe) => void heard.push(probe)
  // Each probe has a thread of its own; the coarser one needs three.
  const precision = full ? 0.45 : 1
  const result = await findMax(server.url, { ...short, from: 250, precision, onProbe }).finished
  // A queue that begins to grow is detected only after some time, so a short probe finds too high a
  // rate. On a busy machine it finds too low a rate.
  const { ratePerSecond: found, failedPerSecond: above, probes, run } = result
  assert.ok(found > 0 && found < 750, JSON.stringify(result))
  assert.ok(above! > found && above! <= found * (1 + precision))
  assert.equal(result.stopped, false)
  assert.deepEqual(heard, probes)
  const at = (rate: number) => probes.findLast(({ ratePerSecond }) => ratePerSecond === rate)!
  assert.deepEqual([at(found).held, at(above!).held], [true, false])
  assert.ok(at(above!).because.length > 0)
  const failed = probes.filter(({ ratePerSecond }) => ratePerSecond === above)
  assert.equal(result.limitedByGenerator, !failed.some(({ valid }) => valid))
  assert.equal(run!.options.ratePerSecond, found)
  assert.equal(result.format, 'yodel-find-max-2')
  assert.deepEqual(JSON.parse(JSON.stringify(result.probes)), probes)
})

test(
  'a queue that grows is seen by objectives that do not look at the time',
  { skip: onlyFull },
  async () => {
    await using server = await limitedServer(500)
    const quick = { ...short, probeMs: 100, warmupMs: 20, drainMs: 1_000 }
    const options = { ...quick, from: 1_500, precision: 1, objective: 'lost=0' }
    const { ratePerSecond, failedPerSecond, probes } = await findMax(server.url, options).finished
    assert.ok(failedPerSecond! <= 1_500 && ratePerSecond <= 750)
    assert.match(probes[0]!.because.join(), /Achieved [\d,]+\/s of 1,500\/s planned/)
    assert.equal(probes[0]!.lost, 0)
  },
)

const down = 'where the first rate fails it goes down, and 0 means that no rate held'
test(down, { skip: onlyFull }, async () => {
  await using server = await limitedServer(500)
  const options = { ...short, from: 250, probeMs: 50, warmupMs: 10, objective: 'p50<1us' }
  const result = await findMax(server.url, options).finished
  assert.deepEqual([result.ratePerSecond, result.failedPerSecond, result.run], [0, 250, null])
  assert.ok(result.probes.every(({ held }) => !held))
})

test('stop() ends it with what was found so far', async () => {
  await using server = await limitedServer(500)
  const search = findMax(server.url, { ...short, probeMs: 60_000, onProbe: () => assert.fail() })
  setImmediate(() => search.stop())
  const { stopped, ratePerSecond, probes } = await search.finished
  assert.deepEqual([stopped, ratePerSecond, probes], [true, 0, []])
})

test('a server that goes away in the middle: what was found until then, and why', async () => {
  await using proxy = await listen(socket => socket.pipe(socket))
  const heard: Probe[] = []
  const search = findMax(proxy.url, {
    ...short,
    connections: 1,
    probeMs: 50,
    warmupMs: 0,
    objective: 'p50<10s',
    onProbe: probe => {
      heard.push(probe)
      proxy.stop()
    },
  })
  const { stopped, stoppedBecause, probes, ratePerSecond, failedPerSecond } = await search.finished
  assert.deepEqual([stopped, probes, failedPerSecond], [true, heard, null])
  assert.equal(ratePerSecond, heard[0]!.held ? heard[0]!.ratePerSecond : 0)
  assert.match(stoppedBecause!, /^Cannot connect to .*no server listens there/)
})

const unanswered = 'stop() does not wait for a probe that connects'
test(unanswered, { timeout: 30_000, skip: onlyFull }, async () => {
  await using server = await serve('ws://127.0.0.1:0')
  let probes = 0
  let search: FindMaxRun
  // From the second probe on no handshake is answered.
  await using proxy = await listen(socket => {
    if (probes > 0) {
      setImmediate(() => search.stop())
      return
    }
    const port = Number(new URL(server.url).port)
    const onward = createConnection(port, '127.0.0.1').on('error', () => {})
    socket.pipe(onward).pipe(socket)
  })
  const options = { ...short, from: 50, probeMs: 50, warmupMs: 0, objective: 'p50<10s' }
  search = findMax(proxy.url.replace('tcp', 'ws'), {
    ...options,
    timeoutMs: 600_000,
    onProbe: () => probes++,
  })
  const result = await search.finished
  assert.deepEqual([result.stopped, result.probes.length], [true, 1])
})

test('what makes no sense is refused, and so is a server that is not there', async () => {
  const bad: Partial<FindMaxOptions>[] = [
    { objective: 'rate>5k' },
    { objective: 'p99>5ms' },
    { objective: 'p99<5' },
    { ratePerSecond: 100 },
    { count: 100 },
    { thinkTime: '1ms' },
    { stages: '100/s for 1s' },
    { precision: 0 },
    { from: 0 },
    { probeMs: Infinity },
    {},
  ]
  for (const options of bad) {
    const { finished } = findMax('tcp://127.0.0.1:1', { ...short, ...options })
    const kind = Object.keys(options).length > 0 ? 'usage' : 'network'
    await assert.rejects(finished, error => error instanceof UserError && error.kind === kind)
  }
})

test(
  'it waits for what its own estimate has left: a queue that outlives connections',
  { skip: onlyFull },
  async () => {
    // 400 in flight are 0.8 s of work, and an echo behind them is far beyond the objective.
    await using server = await limitedServer(500)
    const options = { ...short, connections: 4, depth: 100, from: full ? 100 : 400, precision: 1 }
    const load = { ...options, objective: 'p50<200ms', probeMs: 200 }
    const result = await findMax(server.url, { ...load, arrivals: 'poisson' }).finished
    assert.ok(result.ratePerSecond >= 100, JSON.stringify(result.probes))
    assert.equal(
      result.probes.find(({ echoUs }) => echoUs !== undefined),
      undefined,
    )
    assert.equal(result.run!.options.arrivals, 'poisson')
    // Never more than the server can do: a burst of echoes must not count as a rate.
    assert.ok(result.closedLoopPerSecond < 1_000, String(result.closedLoopPerSecond))
  },
)
