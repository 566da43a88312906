/** The queue before the faults: bounded, in order, and read by one chain after the other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArrivedChunks, heldMaxBytes } from './arrived-chunks.ts'
import { Chain } from './chain.ts'
import { ConnectionEnded, type Chunk } from './fault.ts'
import { parseFault } from './parse.ts'

/** A source that shows whether it is paused. */
const source = () => ({
  paused: false,
  pause() {
    this.paused = true
  },
  resume() {
    this.paused = false
  },
})

async function readAll(chunks: AsyncIterable<Chunk>): Promise<string> {
  let text = ''
  for await (const { data } of chunks) text += Buffer.from(data).toString()
  return text
}

for (const size of [1, 65_536]) {
  test(`chunks of ${size} B: the source pauses at the bound, until half is gone`, async () => {
    const socket = source()
    const arrivals = new ArrivedChunks(socket)
    let pushed = 0
    for (; !socket.paused; pushed++) arrivals.push(Buffer.alloc(size))
    assert.ok(pushed * size <= heldMaxBytes + size)
    assert.ok(pushed <= heldMaxBytes / 256 + 1)
    arrivals.end()
    let read = 0
    for await (const _ of arrivals.read()) {
      read++
      const left = pushed - read
      assert.equal(socket.paused, left * (size + 256) >= heldMaxBytes / 2, `${left} are left`)
    }
    assert.equal(read, pushed)
  })
}

test('what arrives during an interruption waits for the next reader', async () => {
  const arrivals = new ArrivedChunks(source())
  const first = readAll(arrivals.read())
  arrivals.push(Buffer.from('a'))
  arrivals.push(Buffer.from('b'))
  await new Promise(setImmediate)
  arrivals.interrupt()
  arrivals.push(Buffer.from('c'))
  assert.equal(await first, 'ab')
  const second = readAll(arrivals.read())
  arrivals.push(Buffer.from('d'))
  arrivals.end()
  assert.equal(await second, 'cd')
})

/** A chain of faults to which one chunk was sent, and what has come out of it since. */
function start(...faults: string[]) {
  const arrivals = new ArrivedChunks(source())
  const counts = { hits: 0, resets: 0 }
  const chain = new Chain(faults.map(parseFault), {
    seed: 1,
    connection: 0,
    openedAt: performance.now(),
    carries: 'messages',
    onHit: () => counts.hits++,
    onReset: () => counts.resets++,
  })
  const output = readAll(chain.apply(arrivals.read()))
  output.catch(() => {})
  arrivals.push(Buffer.from('hello'))
  return { arrivals, chain, output, counts }
}

test('when the faults change, what is held goes out, and a reset to come does not', async () => {
  const { arrivals, chain, output, counts } = start('reset=1h', 'delay=1h', 'hang=2')
  await new Promise(setImmediate)
  chain.release()
  arrivals.interrupt()
  assert.equal(await output, 'hello')
  assert.equal(counts.resets, 0)
})

test('a server that leaves waits for a delay, but not for a hang', async () => {
  const delayed = start('delay=30ms')
  const hung = [start('hang'), start('delay=30ms', 'hang=2')]
  for (const { arrivals, chain } of [delayed, ...hung]) {
    arrivals.end()
    chain.leave()
  }
  for (const { output } of hung) await assert.rejects(output, ConnectionEnded)
  assert.equal(await delayed.output, 'hello')
})

test('nothing waits for a connection that is gone', async () => {
  for (const fault of ['delay=1h', 'hang', 'slow-accept=1h', 'throttle=1/s']) {
    const { chain, output } = start(fault)
    await new Promise(setImmediate)
    chain.cancel()
    await assert.rejects(output, ConnectionEnded)
  }
})

test('a reset after a time comes although no chunk is asked for', async () => {
  const { chain, counts, output } = start('reset=5ms', 'hang')
  while (counts.resets === 0) await new Promise(setImmediate)
  // The reset and the hang.
  assert.equal(counts.hits, 2)
  chain.cancel()
  await assert.rejects(output, ConnectionEnded)
})

test('no connection is hit at 0 percent, and all without a percentage', async () => {
  for (const [percent, hits] of [
    ['', 1],
    [':100%', 1],
    [':0%', 0],
  ] as const) {
    const { arrivals, output, counts } = start(`slice=3${percent}`)
    arrivals.end()
    assert.equal(await output, 'hello')
    assert.equal(counts.hits, hits)
  }
})
