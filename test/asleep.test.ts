/** A load that waits for an instant sleeps: a thread that spins is interrupted for milliseconds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bench, serve, type BenchOptions } from 'yodel'
import { loadRefusal } from './refusal.ts'

/** So much of its time it may spin: without an alarm it is almost all of it. */
const mostShare = 0.25
const paced = { ratePerSecond: 500, count: 150, connections: 1 }
const loads: [what: string, transport: string, load: BenchOptions][] = [
  ['messages', 'tcp', paced],
  ['datagrams', 'udp', paced],
  ['short connections', 'tcp', { connections: 0, churnPerSecond: 400, durationMs: 400 }],
]
const refusal = process.platform === 'linux' && (await loadRefusal('uring'))
const skip =
  process.platform !== 'linux' ? 'only Linux has a timerfd' : /FFI/.exec(refusal || '') && refusal
for (const [what, transport, load] of loads)
  test(`${what}: it sleeps between them`, { skip: skip || false }, async () => {
    await using server = await serve(`${transport}://127.0.0.1:0`, { engine: 'node' })
    const run = bench(server.url, { ...load, warmupMs: 200, engine: 'node' })
    const { generator, messages } = await run.finished
    assert.equal(messages.received, load.count ?? 0)
    const { cpuShare, onCpuShare, queuedShare } = generator
    // Where all is planned, the queue for a processor counts as work.
    const spunShare = onCpuShare! + queuedShare! - cpuShare!
    assert.ok(spunShare < mostShare, `it spun for ${spunShare} of its time`)
  })
