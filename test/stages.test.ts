/** A load whose rate changes: each stage has the messages that are planned in it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bench } from 'yodel'
import { listen } from './peers/server.ts'

test('the figures of a stage are of its own messages, and a pause misses no rate', async () => {
  await using server = await listen(socket => {
    socket.on('data', data => void setTimeout(() => socket.write(data), 60))
    socket.on('end', () => void setTimeout(() => socket.end(), 60))
  })
  const load = {
    connections: 2,
    depth: 300,
    warmupMs: 0,
    drainMs: 60_000,
    expect: ['rate>=1/s'],
  }
  const stages = '1k/s for 100ms, 5k/s for 100ms, 0 for 100ms'
  const { stages: found = [], messages } = await bench(server.url, { ...load, stages }).finished
  assert.deepEqual([messages.planned, messages.received], [600, 600])
  const counts = found.map(({ planned, received, missed }) => [planned, received, missed.length])
  assert.deepEqual(counts, [
    [100, 100, 0],
    [500, 500, 0],
    [0, 0, 0],
  ])
  const ms = (seconds: number) => Math.round(seconds * 1e3)
  assert.deepEqual(
    found.map(({ second, seconds }) => [ms(second), ms(seconds)]),
    [
      [0, 100],
      [100, 100],
      [200, 100],
    ],
  )
  // What comes in the drain counts in no rate.
  for (const { planned, seconds, ratePerSecond } of found)
    assert.ok(ratePerSecond <= planned / seconds + 1e-6, `${ratePerSecond}/s of ${planned}`)
})
