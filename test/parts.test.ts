/** However many threads and slices send: a server gets the same bytes on the same connections. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { bench, type BenchOptions } from 'yodel'
import { onlyFull, short } from './full.ts'
import { listen } from './peers/server.ts'

/** What a server got on its connections, in no order: they have no numbers there. */
async function received(options: BenchOptions, slices = 1): Promise<string[]> {
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
      // Without steady connections each thread looks first whether a server answers.
      if (bytes > 0) streams.push(`${bytes} bytes, ${hash.digest('hex')}`)
      socket.end()
    })
  })
  await using _ = server
  const runs = Array.from({ length: slices }, (_, n) => {
    const slice = slices > 1 ? `${n + 1}/${slices}` : undefined
    return bench(server.url, { warmupMs: 0, ...options, slice }).finished
  })
  for (const { messages, errors } of await Promise.all(runs))
    assert.deepEqual([messages.lost, errors.wrongBytes], [0, 0])
  return streams.toSorted()
}

const sizeBytes = [{ minBytes: 1, maxBytes: 3_000, weight: 1 }]
const open = { ratePerSecond: 2_000, count: 101, connections: 5, depth: 50, sizeBytes }
const loads: [name: string, options: BenchOptions][] = [
  ['even arrivals', open],
  ['stages', { connections: 5, depth: 50, sizeBytes, stages: '0..2k/s over 60ms, 1k/s for 30ms' }],
  ['poisson arrivals', { ...open, arrivals: 'poisson' }],
  ['a closed loop of one in turn', { count: 10, connections: 10, sizeBytes }],
  [
    'short connections of poisson arrivals',
    { connections: 0, churnPerSecond: 400, arrivals: 'poisson', durationMs: 50, sizeBytes },
  ],
]
/** How plans of these are divided has a test of its own, in load/part.test. */
const daily = 'even arrivals'
for (const [name, options] of loads) {
  const title = `what is sent does not depend on the number of threads and slices: ${name}`
  test(title, { skip: name !== daily && onlyFull }, async () => {
    const one = await received({ ...options, threads: 1 })
    // Three for one load: where one thread of two is right, so is the other.
    for (const threads of short([2, 3, 4], [options === open ? 3 : 2]))
      assert.deepEqual(await received({ ...options, threads }), one)
    // And not on the number of machines.
    for (const slices of short([2, 3, 5], options === open ? [2] : []))
      assert.deepEqual(await received({ ...options, threads: short(2, 1) }, slices), one)
  })
}
