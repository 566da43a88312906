/** What becomes of each datagram, on a clock that does not run. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../full.suite.ts'
import { counter, Meter, type CounterName } from '../metrics/meter.ts'
import { defaultsOf } from '../options/form.ts'
import type { DatagramStream } from './datagram-stream.ts'
import { DatagramTraffic, headerBytes } from './datagram-traffic.ts'
import { benchOptions } from './options.ts'
import type { ThreadLoad } from './thread-load.ts'

const plan: ThreadLoad = {
  ...defaultsOf(benchOptions),
  payload: { kind: 'seeded', seed: 1 },
  sizes: [{ minBytes: headerBytes, maxBytes: 1000, weight: 1 }],
  seed: 1,
  connections: 1,
  firstConnection: 0,
  connectionStep: 1,
  depth: 4,
  pace: undefined,
  countedNs: undefined,
  churn: undefined,
  warmupMs: 0,
  durationMs: 60_000,
  drainMs: 0,
  timeoutMs: 100,
}
const ms = 1e6

/** A load that has begun at instant 0, and what was counted. */
function begin(wanted: Partial<ThreadLoad> = {}) {
  const meter = new Meter()
  const traffic = new DatagramTraffic({ ...plan, ...wanted }, meter)
  traffic.start(0)
  const stream = traffic.streams[0]!
  const counts = (...names: CounterName[]) => names.map(name => meter.counters[counter[name]]!)
  return { traffic, stream, counts, meter }
}

const takeAll = (stream: DatagramStream, now: number): Buffer[] => {
  const taken: Buffer[] = []
  for (let datagram; (datagram = stream.issue(now));) {
    taken.push(datagram)
    stream.onSent()
  }
  return taken
}

test('one that is lost frees its place after the timeout, and not before', () => {
  const { traffic, stream, counts } = begin()
  const freed: DatagramStream[] = []
  const first = takeAll(stream, 0)
  assert.equal(first.length, 4)
  // The thread sleeps, and is not held up.
  traffic.stalls.expect(0, 10 * ms)
  stream.arrived(first[2]!, 10 * ms)
  assert.equal(takeAll(stream, 20 * ms).length, 1)
  traffic.tick(99 * ms, { send: stream => freed.push(stream) })
  assert.deepEqual([freed.length, takeAll(stream, 99 * ms).length], [0, 0])
  traffic.tick(100 * ms, { send: stream => freed.push(stream) })
  assert.equal(freed.length, 1)
  // The three that were sent first; the one that was sent later has its time.
  assert.equal(takeAll(stream, 100 * ms).length, 3)
  assert.deepEqual(counts('messagesSent', 'messagesReceived'), [8, 1])
})

test('one that comes after its timeout is late once, and then doubled', () => {
  const { traffic, stream, counts } = begin()
  const [first] = takeAll(stream, 0)
  traffic.tick(100 * ms, { send() {} })
  const seen = () => counts('messagesReceived', 'datagramsLate', 'datagramsDuplicated')
  stream.arrived(first!, 150 * ms)
  assert.deepEqual(seen(), [0, 1, 0])
  stream.arrived(first!, 151 * ms)
  assert.deepEqual(seen(), [0, 1, 1])
})

test('of too many that are lost the first ones are forgotten, and no others', () => {
  const { traffic } = begin()
  for (let sequence = 0; sequence < 100_010; sequence++) traffic.lose(0, sequence)
  const remembered = [0, 9, 10, 100_000, 100_001, 100_009].map(n => traffic.find(0, n))
  assert.deepEqual(remembered, [false, false, true, true, true, true])
})

test('what is doubled and overtaken is what a permutation with repetitions has', () => {
  const order = fc.array(fc.nat(19), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(order, order => {
      const { stream, counts } = begin({ depth: 20, count: 20 })
      const sent = takeAll(stream, 0)
      for (const [now, n] of order.entries()) stream.arrived(Buffer.from(sent[n]!), now)
      const firsts = order.filter((n, place) => order.indexOf(n) === place)
      const behind = firsts.filter((n, place) => firsts.slice(0, place).some(other => other > n))
      assert.deepEqual(
        counts('messagesReceived', 'datagramsDuplicated', 'datagramsReordered', 'wrongBytes'),
        [firsts.length, order.length - firsts.length, behind.length, 0],
      )
    }),
    { seed: 1, numRuns: short(50, 10) },
  )
})

test('any bit that is flipped, and any cut, is found', () => {
  const damage = fc.record({ at: fc.nat(10_000), bit: fc.nat(7), isCut: fc.boolean() })
  fc.assert(
    fc.property(damage, ({ at, bit, isCut }) => {
      const { traffic, stream, counts } = begin({ depth: 1 })
      const [sent] = takeAll(stream, 0)
      const place = at % sent!.length
      const came = isCut ? sent!.subarray(0, place) : Buffer.from(sent!)
      if (!isCut) came[place]! ^= 1 << bit
      stream.arrived(came, 1)
      assert.deepEqual(counts('messagesReceived', 'wrongBytes'), [0, 1])
      assert.equal(traffic.wrong!.offset, place)
    }),
    { seed: 1, numRuns: short(50, 10) },
  )
})

test('the warm-up is left out of everything', () => {
  const { traffic, stream, counts } = begin({ warmupMs: 50, depth: 2 })
  const warm = takeAll(stream, 0)
  stream.arrived(warm[1]!, 10 * ms)
  stream.arrived(warm[0]!, 11 * ms)
  stream.arrived(warm[0]!, 60 * ms)
  const measured = takeAll(stream, 60 * ms)
  traffic.tick(160 * ms, { send() {} })
  stream.arrived(measured[0]!, 161 * ms)
  assert.deepEqual(
    counts('warmupSent', 'warmupReceived', 'messagesSent', 'messagesReceived', 'datagramsLate'),
    [2, 2, 2, 0, 1],
  )
  assert.deepEqual(counts('datagramsDuplicated', 'datagramsReordered'), [0, 0])
})

test('an open loop sends on time what has room, and counts from the plan', () => {
  const pace = { ratePerSecond: 1000, connections: 1, seed: 1 }
  const { traffic, stream, counts, meter } = begin({ depth: 2, pace, timeoutMs: 1000 })
  const sent: Buffer[] = []
  traffic.plan(4.5 * ms, stream => sent.push(...takeAll(stream, 4.5 * ms)))
  assert.equal(sent.length, 2)
  assert.deepEqual(counts('messagesPlanned', 'messagesDeferred'), [5, 3])
  stream.arrived(sent[0]!, 10 * ms)
  assert.equal(takeAll(stream, 10 * ms).length, 1)
  assert.ok(Math.abs(meter.histograms.response.quantiles([1])[0]! - 10 * ms) < 0.001 * 10 * ms)
  assert.ok(Math.abs(meter.histograms.service.quantiles([1])[0]! - 5.5 * ms) < 0.001 * 5.5 * ms)
})
