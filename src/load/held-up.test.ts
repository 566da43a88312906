/** The life of a load whose thread does nothing for a while, on a made clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DatagramStream } from './datagram-stream.ts'
import { afterMs, datagrams, live, ms, paced, streams } from './life.suite.ts'
import type { Happening, Server } from './life.suite.ts'
import type { Stream } from './stream.ts'

const never: Server = () => undefined

/** The thread does nothing for so long; what comes meanwhile is read only afterwards. */
const standStill = (forMs: number) => (_: unknown, mover: { now: number }) =>
  void (mover.now += forMs * ms)

test('while the thread was held up nothing times out: what has come is read first', () => {
  const load = { ...paced(100, 2), depth: 200, durationMs: 1_000, timeoutMs: 200 }
  const happens = [[303, standStill(500)]] as Happening<Stream>[]
  const { times, counts } = live(streams, load, { server: afterMs(5), happens })
  assert.equal(times('gave up'), 0)
  assert.deepEqual(counts('timedOut', 'messagesPlanned', 'messagesReceived'), [0, 100, 100])
  // Of two, the one that is never answered times out all the same, as soon as that is certain.
  const silent: Server = n => (n >= 30 && n % 2 === 0 ? undefined : 5)
  const half = live(streams, load, { server: silent, happens })
  assert.equal(
    half.log.find(line => line.endsWith('gave up')),
    '853 gave up',
  )
  const drop = [[303, standStill(500)]] as Happening<DatagramStream>[]
  const loss = live(datagrams, load, { server: afterMs(5), happens: drop })
  assert.deepEqual(loss.counts('datagramsLate', 'messagesReceived'), [0, 100])
})

test('nor if it was late for another reason when that began', () => {
  const load = { ...paced(100, 2), depth: 200, durationMs: 1_000, timeoutMs: 200 }
  // The tick of 300 ms is late, and so leaves time to read: in that time it is held up.
  const happens = [
    [295, standStill(20)],
    [320, standStill(500)],
  ] as Happening<Stream>[]
  const { times, counts } = live(streams, load, { server: afterMs(5), happens })
  assert.equal(times('gave up'), 0)
  assert.deepEqual(counts('timedOut', 'messagesReceived'), [0, 100])
})

test('while the thread was held up the drain is not over: what has come is read first', () => {
  const load = { count: 3, depth: 3, durationMs: 10_000, drainMs: 300, timeoutMs: 2_000 }
  const happens = [[150, standStill(1_000)]] as Happening<Stream>[]
  const { counts } = live(streams, load, { server: afterMs(200), happens })
  assert.deepEqual(counts('messagesReceived', 'unanswered'), [3, 0])
})

test('a thread that is always late gives up what does not come', () => {
  const late = Array.from({ length: 40 }, (_, n) => [n * 130, standStill(125)])
  const load = { connections: 1, durationMs: 4_000, timeoutMs: 300 }
  const { counts } = live(streams, load, { server: never, happens: late as Happening<Stream>[] })
  assert.deepEqual(counts('timedOut'), [1])
})
