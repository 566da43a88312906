/** A closed loop with a think time: nothing comes sooner after an echo, and all of it comes. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { bench, type BenchOptions } from 'yodel'
import { listen } from './peers/server.ts'
import { loadRefusal } from './refusal.ts'

const leastMs = 20
const load = { connections: 3, count: 12, warmupMs: 0, thinkTime: '30ms~10ms' }

/** Notes when something came from each client. */
class Gaps {
  readonly shortestMs: number[] = []
  readonly #last = new Map<unknown, number>()

  came(client: unknown): void {
    const now = performance.now()
    const before = this.#last.get(client)
    if (before !== undefined) this.shortestMs.push(now - before)
    this.#last.set(client, now)
  }
}

const check = ({ shortestMs }: Gaps) => {
  assert.equal(shortestMs.length, 12 - 3)
  assert.ok(Math.min(...shortestMs) >= leastMs, `${shortestMs.join(' ')} ms`)
}

for (const engine of ['node', 'uring'] as const) {
  const refusal = loadRefusal(engine)
  test(`${engine} waits for the think time after each echo`, { skip: refusal }, async () => {
    const gaps = new Gaps()
    await using server = await listen(socket => {
      socket.on('data', data => {
        gaps.came(socket)
        socket.write(data)
      })
      socket.on('end', () => socket.end())
    })
    const { messages, verdict } = await bench(server.url, { ...load, engine }).finished
    assert.deepEqual([messages.sent, messages.received, verdict], [12, 12, 'pass'])
    check(gaps)
  })
}

test('so does a load of datagrams', async () => {
  const gaps = new Gaps()
  const socket = createSocket('udp4')
  socket.on('message', (data, { port, address }) => {
    gaps.came(port)
    socket.send(data, port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const url = `udp://127.0.0.1:${socket.address().port}`
  const { messages } = await bench(url, load).finished
  socket.close()
  assert.deepEqual([messages.sent, messages.received], [12, 12])
  check(gaps)
})

test('it is refused where it makes no sense', async () => {
  const refused: [options: BenchOptions, why: RegExp][] = [
    [{ ratePerSecond: 5 }, /closed loop/],
    [{ stages: '5/s for 1s' }, /closed loop/],
    [{ depth: 2 }, /one message in flight/],
    [{ thinkTime: '10ms~20ms' }, /is not a think time/],
    [{ thinkTime: '10' }, /cannot be read/],
    [{ thinkTime: '1ms~' }, /is not a think time/],
  ]
  for (const [options, why] of refused)
    await assert.rejects(
      bench('tcp://127.0.0.1:1', { thinkTime: '10ms', ...options }).finished,
      why,
      JSON.stringify(options),
    )
})
