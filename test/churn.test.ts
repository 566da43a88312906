/** Short connections over each transport that has connections, by each engine. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { bench, serve, type BenchOptions } from 'yodel'
import { until } from './client.ts'
import { onlyFull, short } from './full.ts'
import { listen } from './peers/server.ts'
import { loadRefusal } from './refusal.ts'

/** A hang is a failure. */
const timeout = 120_000
const folder = mkdtempSync(join(tmpdir(), 'yodel-'))
after(() => rmSync(folder, { recursive: true }))
const insecure: BenchOptions = { calling: { tls: { insecure: true } } }
const kinds: [name: string, url: string, options?: BenchOptions][] = [
  ['tcp', 'tcp://127.0.0.1:0'],
  // Each second, and after each failure, the name is looked up.
  ['tcp', 'tcp://localhost:0'],
  ['unix', `unix:${folder}/socket`],
  ['tls', 'tls://127.0.0.1:0', insecure],
  ['ws', 'ws://127.0.0.1:0'],
  ['wss', 'wss://127.0.0.1:0', insecure],
]
/** However long a busy machine takes for what is under way. */
const patient = { warmupMs: 0, timeoutMs: 60_000, drainMs: 60_000 }

for (const engine of ['node', 'uring'] as const)
  describe(`short connections, ${engine}`, { timeout }, () => {
    // Every day the other tests of churn show it with node.
    const isDaily = (name: string) => engine === 'uring' && ['unix', 'wss'].includes(name)
    for (const [name, url, options] of kinds) {
      const secure = /^(tls|wss)$/.test(name) ? name : 'tcp'
      const skip = loadRefusal(engine, secure) || (!isDaily(name) && onlyFull)
      test(`beside steady ones, and all come back: ${url}`, { skip }, async () => {
        await using server = await serve(url, { engine: 'node' })
        const small = { minBytes: 1, maxBytes: 300, weight: 3 }
        const large = { minBytes: 20_000, maxBytes: 300_000, weight: 1 }
        const steady = { connections: 2, ratePerSecond: 100, idle: 1, sizeBytes: [small, large] }
        // A handshake of TLS takes milliseconds.
        const churnPerSecond = secure === 'tcp' ? 200 : 50
        const pace = { churnPerSecond, durationMs: short(2_000, 300) }
        const load = { ...patient, ...steady, ...pace, ...options, engine, threads: 1 }
        const { churn, run, errors, messages } = await bench(server.url, load).finished
        // Whether a busy machine keeps the plan does not matter here.
        assert.deepEqual(new Set(Object.values(errors)), new Set([0]), JSON.stringify(errors))
        assert.equal(run.engine, engine)
        assert.equal(messages.received, messages.planned)
        const { planned, completed, durationUs } = churn!
        assert.equal(planned, (churnPerSecond * pace.durationMs) / 1e3)
        assert.deepEqual([completed, durationUs.count], [planned, planned])
        assert.equal(server.snapshot().opened, 3 + planned)
      })
    }
    fails(engine)
  })

function fails(engine: 'node' | 'uring') {
  const skip = loadRefusal(engine) || onlyFull
  test('a server that goes away and comes back: each that fails is counted', { skip }, async () => {
    let server = await serve('tcp://127.0.0.1:0', { engine: 'node' })
    const load = { ...patient, connections: 0, churnPerSecond: 200, durationMs: 60_000, engine }
    const run = bench(server.url, load)
    await run.ready
    const completed = async () => {
      const wanted = run.snapshot().churnCompleted + 30
      await until(() => run.snapshot().churnCompleted >= wanted)
    }
    await completed()
    await server.close('now')
    await until(() => run.snapshot().refused >= 30)
    server = await serve(server.url, { engine: 'node' })
    await completed()
    run.stop()
    const { churn, errors, verdict } = await run.finished
    await server.close()
    const failed = Object.values(errors).reduce((sum, n) => sum + n, 0)
    assert.equal(churn!.planned, churn!.completed + failed)
    assert.equal(verdict, 'fail')
  })

  test('a server that does not close, or is silent, is given up', { skip }, async () => {
    for (const echoes of [true, false]) {
      await using server = await listen(socket =>
        socket.on('data', data => (echoes ? socket.write(data) : undefined)),
      )
      const pace = { churnPerSecond: 100, durationMs: 200, timeoutMs: 300, connections: 0 }
      const load = { ...patient, ...pace, engine, threads: 1 }
      const { churn, errors, firstWrong } = await bench(server.url, load).finished
      assert.deepEqual([churn!.planned, churn!.completed, errors.timedOut], [20, 0, 20])
      assert.equal(firstWrong?.cause, echoes ? undefined : 'missing')
    }
  })
}
