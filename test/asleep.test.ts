/** A load that waits for an instant sleeps: a thread that spins is interrupted for milliseconds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bench, type BenchOptions } from 'yodel'
import { peer } from './peers/datagrams.ts'
import { listen } from './peers/server.ts'
import { loadRefusal } from './refusal.ts'

/** So much of its time it may spin: without an alarm it is almost all of it. */
const mostShare = 0.25
const paced = { ratePerSecond: 500, count: 150, connections: 1 }
const loads: [what: string, transport: string, load: BenchOptions][] = [
  ['messages', 'tcp', paced],
  ['datagrams', 'udp', paced],
  ['short connections', 'tcp', { connections: 0, churnPerSecond: 400, durationMs: 400 }],
]
const refusal = process.platform === 'linux' && loadRefusal('uring')
const skip =
  process.platform !== 'linux' ? 'only Linux has a timerfd' : /FFI/.exec(refusal || '') && refusal
for (const [what, transport, load] of loads)
  test(`${what}: it sleeps between them`, { skip: skip || false }, async () => {
    await using udp = await peer({}, (data, answer) => answer(data))
    await using tcp = await listen(socket => void socket.pipe(socket))
    const url = transport === 'udp' ? `udp://127.0.0.1:${udp.port}` : tcp.url
    // On a busy machine the echoes take their time.
    const patient = { warmupMs: 200, drainMs: 60_000, timeoutMs: 60_000 }
    const run = bench(url, { ...load, ...patient, engine: 'node' })
    const { generator, messages } = await run.finished
    assert.equal(messages.received, load.count ?? 0)
    const { cpuShare, onCpuShare, queuedShare } = generator
    // Where all is planned, the queue for a processor counts as work.
    const spunShare = onCpuShare! + queuedShare! - cpuShare!
    assert.ok(spunShare < mostShare, `it spun for ${spunShare} of its time`)
  })
