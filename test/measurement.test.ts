/** What is measured is what happened: times against servers of which they are known. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { bench, type BenchOptions, type RunResult } from 'yodel'
import { until } from './client.ts'
import { onlyFull, short } from './full.ts'
import { listen } from './peers/server.ts'
import { yodelServe } from './program.ts'
import { loadRefusal } from './refusal.ts'

/** What a histogram says is at most so far off. */
const relativeError = 0.0005
const sizeBytes = 64
type Distribution = RunResult['responseUs']

const stops = process.platform === 'win32' ? 'Windows has no signals that stop a process' : false

describe('measured', { concurrency: 4 }, () => {
  stall()
  for (const engine of ['node', 'uring'] as const) {
    delays(engine)
    warmUp(engine)
  }
})

function stall() {
  test('a server that stops for 500 ms is felt by all that was due', { skip: stops }, async () => {
    const { program, url } = await yodelServe('--engine', 'node')
    await using server = program
    const expect = ['rate>0']
    const common = { connections: 2, threads: 1, warmupMs: 0, drainMs: 60_000, expect }
    const load = { ...common, ratePerSecond: 500, durationMs: 2_000 }
    const run = bench(url, load)
    await run.ready
    const readyMs = performance.now()
    await until(() => run.snapshot().messagesReceived >= 200)
    server.kill('SIGSTOP')
    await sleep(500)
    server.kill('SIGCONT')
    const result = await run.finished
    const tookMs = performance.now() - readyMs
    const { planned, sent, received, lost } = result.messages
    assert.deepEqual([planned, sent, received, lost], [1_000, 1_000, 1_000, 0])
    const { responseUs, serviceUs } = result
    assert.equal(responseUs.count, planned)
    assert.equal(samplesIn(result), planned)
    assert.equal(result.verdict, 'pass')
    // A fourth of all was due while it stood still; those due 200 ms before its end are 15 %.
    assert.ok(responseUs.p99! >= 200e3, `response p99 ${responseUs.p99} us`)
    assert.ok(responseUs.p90! >= 200e3, `response p90 ${responseUs.p90} us`)
    // Each connection has one message in flight, and sends no more: all service times together
    // are no longer than the run of both. Response times are, by those that were due meanwhile.
    const allMs = (us: Distribution) => (us.mean! * us.count) / 1e3
    const mostMs = 2 * tookMs
    const said = `${allMs(serviceUs)} ms of service, ${allMs(responseUs)} ms of response`
    assert.ok(allMs(serviceUs) <= mostMs * 1.001 && allMs(responseUs) > mostMs, said)
  })
}

function delays(engine: 'node' | 'uring') {
  // Every day truth/truth.test.ts shows the same.
  const title = `${engine}: percentiles are those of a server's known delays`
  test(title, { skip: onlyFull }, async context => {
    const reason = engine !== 'node' && loadRefusal(engine)
    if (reason) return context.skip(reason)
    let held = ''
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const { slow, quiet } = told(await measureDelays(engine))
      if (slow === '') return undefined
      if (quiet) held = slow
    }
    // On a machine that is never quiet nothing can be said about what is added to the delays.
    if (held === '') return context.skip('others held the machine up in each run')
    assert.fail(held)
  })
}

const attemptsMax = 5

/** Asserts what holds on any machine, and what holds if neither load was held up more. */
function told({ result, floorUs, tookUs }: Awaited<ReturnType<typeof measureDelays>>) {
  let slow = ''
  assert.equal(tookUs.length, delayedCount)
  assert.equal(result.responseUs.count, delayedCount)
  for (const [key, quantile] of [
    ['p50', 0.5],
    ['p90', 0.9],
    ['p99', 0.99],
    ['max', 1],
  ] as const) {
    const found = ranked(result.histograms.responseUs, quantile)
    const real = tookUs[Math.ceil(quantile * tookUs.length) - 1]!
    const said = `${key} is ${found} us; the server took ${real} us, the way ${floorUs} us`
    // Each message takes longer than the server took, so each percentile is higher.
    assert.ok(found >= real * (1 - relativeError), said)
    if (found > (real + floorUs) * (1 + relativeError)) slow = said
  }
  assert.deepEqual(result.histograms.serviceUs, result.histograms.responseUs)
  return { slow, quiet: floorUs <= 50e3 }
}

/** A load to a server with known delays, what they really were, and the longest way without one. */
async function measureDelays(engine: 'node' | 'uring') {
  const delayed = await delayingServer(knownDelays)
  const prompt = await delayingServer(() => 0)
  await using _ = delayed.server
  await using __ = prompt.server
  const options: BenchOptions = { engine, threads: 1, sizeBytes, connections: 10, warmupMs: 0 }
  // Both run at the same time in the same process, so what disturbs one disturbs the other.
  const endless = { ratePerSecond: 250, durationMs: Infinity }
  const reference = bench(prompt.server.url, { ...options, ...endless })
  await reference.ready
  const result = await bench(delayed.server.url, { ...options, count: delayedCount }).finished
  reference.stop()
  const floorUs = (await reference.finished).responseUs.max!
  return { result, floorUs, tookUs: delayed.tookUs.toSorted((a, b) => a - b) }
}

const delayedCount = short(400, 100)

/** As many of each: 5 ms to 81 ms, in an order that is always the same. */
const knownDelays = (n: number): number => 5 + 4 * ((n * 7 + (n >> 4)) % 20)

/** Echoes each message of a fixed size after a delay, and writes down how long it really took. */
async function delayingServer(delayMs: (n: number) => number) {
  const tookUs: number[] = []
  let count = 0
  const server = await listen(socket => {
    socket.on('data', (message: Buffer) => {
      const arrivedMs = performance.now()
      const answer = () => {
        tookUs.push((performance.now() - arrivedMs) * 1e3)
        socket.write(message)
      }
      const ms = delayMs(count++)
      if (ms > 0) setTimeout(answer, ms)
      else answer()
    })
    socket.on('end', () => socket.end())
  })
  return { server, tookUs }
}

function warmUp(engine: 'node' | 'uring') {
  // In an open loop messages of the window, too, would wait for what was due meanwhile.
  for (const [name, load, slowMs] of [
    ['a closed loop', {}, 1_500],
    ['an open loop', { ratePerSecond: 200 }, 0],
  ] as const) {
    // Every day the witness of truth/truth.test.ts looks at a run with a warm-up.
    const title = `${engine}: of ${name} the warm-up is left out, and no more`
    test(title, { skip: onlyFull }, async context => {
      const reason = engine !== 'node' && loadRefusal(engine)
      if (reason) return context.skip(reason)
      let servedBytes = 0
      await using server = await listen(socket => {
        const serve = () =>
          socket.on('data', (data: Buffer) => {
            servedBytes += data.length
            socket.write(data)
          })
        // From the first message on: on a busy machine the load begins long after it is connected.
        if (slowMs > 0) socket.once('readable', () => setTimeout(serve, slowMs))
        else serve()
        socket.on('end', () => socket.end())
      })
      // A busy machine may be late at the end of so short a window.
      const expect = ['rate>0']
      const options: BenchOptions = {
        engine,
        sizeBytes,
        depth: 4,
        // A thread of a busy machine may begin so late that a short one is over.
        warmupMs: 1_000,
        count: 200,
        expect,
      }
      const result = await bench(server.url, { ...options, ...load }).finished
      const { planned, sent, received, lost } = result.messages
      assert.deepEqual([planned, sent, received, lost], [200, 200, 200, 0])
      assert.deepEqual([result.responseUs.count, samplesIn(result)], [200, 200])
      // What was in flight during a slow warm-up belongs to it, although it came back later.
      const warm = servedBytes / sizeBytes - 200
      assert.ok(slowMs > 0 ? warm === 4 : warm > 0, `${warm} messages of warm-up`)
      assert.equal(result.verdict, 'pass')
    })
  }
}

/** By the nearest rank, however few samples there are. */
function ranked(buckets: [us: number, count: number][], quantile: number): number {
  const count = buckets.reduce((sum, [, count]) => sum + count, 0)
  let seen = 0
  for (const [us, samples] of buckets) if ((seen += samples) >= quantile * count) return us
  throw new Error('There is no sample.')
}

const samplesIn = ({ histograms }: RunResult): number =>
  histograms.responseUs.reduce((sum, [, count]) => sum + count, 0)
