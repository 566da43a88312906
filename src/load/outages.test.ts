/** Outages of connections that are opened again: what they cost, and how they become rows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { counter, Meter, type CounterName } from '../metrics/meter.ts'
import { defaultsOf } from '../options/form.ts'
import { nowNs } from '../vocabulary/clock.ts'
import { backoffMs } from './backoff.ts'
import { benchOptions } from './options.ts'
import { atMost, overlapping, type Outage } from './outages.ts'
import { copyOf } from './payload.ts'
import type { ThreadLoad } from './thread-load.ts'
import { Traffic } from './traffic.ts'

const ms = 1e6
const plan: ThreadLoad = {
  ...defaultsOf(benchOptions),
  payload: { kind: 'seeded', seed: 1 },
  sizes: [{ minBytes: 1, maxBytes: 200, weight: 1 }],
  firstConnection: 0,
  connectionStep: 1,
  depth: 4,
  pace: { ratePerSecond: 1_000, connections: 1, seed: 1 },
  countedNs: undefined,
  churn: undefined,
  warmupMs: 0,
  durationMs: 60_000,
  reconnect: true,
}

/** A load of one connection, which began just now, by a clock that the test moves. */
function begin(wanted: Partial<ThreadLoad> = {}) {
  const meter = new Meter()
  const traffic = new Traffic({ ...plan, ...wanted }, meter)
  const startNs = nowNs()
  traffic.start(startNs)
  const stream = traffic.streams[0]!
  /** Sends what is due by then; how many bytes. */
  const sendAt = (atMs: number) => {
    let bytes = 0
    traffic.plan(startNs + atMs * ms, due => (bytes += due.issue(startNs + atMs * ms)))
    return bytes
  }
  const echoAt = (atMs: number, from: number, bytes: number) =>
    stream.arrived(copyOf(traffic.payload, 0, from, bytes), 0, bytes, startNs + atMs * ms)
  const counts = (...names: CounterName[]) => names.map(name => meter.counters[counter[name]]!)
  return { traffic, stream, sendAt, echoAt, counts, startNs }
}

test('what an outage costs: unanswered, waiting and due while out; then the plan goes on', () => {
  for (const arrivals of ['even', 'poisson'] as const) {
    const load = begin({ arrivals })
    const { traffic, stream, sendAt, echoAt, counts, startNs } = load
    let sent = 0
    for (let at = 0; at < 10; at++) sent += sendAt(at)
    // Not one has come back, so all but the first four wait.
    const [before] = counts('messagesPlanned') as [number]
    assert.equal(stream.inFlight, 4)
    stream.fail(counter.reset)
    assert.deepEqual([stream.broken, ...counts('reset', 'outagesBegun')], [true, 0, 1])
    assert.equal(stream.outage!.lost, before)
    for (let at = 10; at <= 30; at++) assert.equal(sendAt(at), 0)
    const [lost] = counts('messagesPlanned') as [number]
    assert.equal(stream.outage!.lost, lost)

    stream.reopen(startNs + 30 * ms)
    assert.deepEqual([stream.failed, stream.inFlight, stream.receivedBytes], [false, 0, sent])
    // What was due while it was out is not sent late.
    assert.equal(stream.issue(startNs + 30 * ms), 0)
    let [at, from] = [30, stream.issuedBytes]
    while (sendAt(at) === 0) at++
    assert.ok(at < 60)
    // The payload goes on: the bytes from the place that was reached are right.
    assert.ok(echoAt(at + 7, from, stream.issuedBytes - from))
    assert.deepEqual(counts('outagesEnded', 'reopened', 'wrongBytes'), [1, 1, 0])
    assert.equal(stream.outage, undefined)
    from = stream.issuedBytes
    const [outage] = traffic.outages!.since(startNs)
    const [planned, received] = counts('messagesPlanned', 'messagesReceived')
    assert.equal(planned! - received! - stream.inFlight, outage!.lost)
    assert.deepEqual([outage!.breaks, outage!.openNs], [{ reset: 1 }, 30 * ms])
    assert.equal(outage!.endNs, (at + 7) * ms)
    assert.ok(outage!.firstEchoNs >= 7 * ms - 1 && outage!.firstEchoNs < 8 * ms)
  }
})

test('the warm-up costs nothing, in the counts of an outage', () => {
  const { stream, sendAt, startNs } = begin({ warmupMs: 20 })
  for (let at = 0; at < 10; at++) sendAt(at)
  stream.fail(counter.closedEarly)
  assert.equal(stream.outage!.lost, 0)
  sendAt(25.5)
  assert.equal(stream.outage!.lost, 6)
  stream.reopen(startNs + 25.5 * ms)
  assert.ok(sendAt(26) > 0)
})

test('a closed loop goes on at once, and what breaks before an echo is the same outage', () => {
  const { stream, counts, echoAt, startNs, traffic } = begin({ pace: undefined, depth: 2 })
  const [before] = [stream.issue(startNs)]
  stream.fail(counter.timedOut)
  stream.reopen(startNs + 5 * ms)
  assert.ok(stream.issue(startNs + 5 * ms) > 0)
  stream.fail(counter.closedEarly)
  stream.reopen(startNs + 9 * ms)
  const from = stream.issuedBytes
  const bytes = stream.issue(startNs + 9 * ms)
  assert.ok(echoAt(10, from, bytes) && before > 0)
  assert.deepEqual(counts('outagesBegun', 'outagesEnded', 'reopened'), [1, 1, 2])
  const [{ lost, breaks, firstEchoNs }] = traffic.outages!.since(startNs) as [Outage]
  assert.deepEqual([lost, breaks], [4, { timedOut: 1, closedEarly: 1 }])
  assert.equal(Math.round(firstEchoNs / ms), 1)
})

test('no outage: wrong bytes, a break when all is sent; one that stays out has failed', () => {
  const wrong = begin()
  wrong.sendAt(1)
  assert.equal(wrong.echoAt(1, 1_000, wrong.stream.issuedBytes), true)
  assert.deepEqual([wrong.stream.broken, ...wrong.counts('wrongBytes')], [false, 1])

  const late = begin()
  late.sendAt(1)
  late.traffic.stop(late.startNs + 2 * ms)
  late.stream.ended()
  assert.deepEqual(late.counts('closedEarly', 'outagesBegun'), [1, 0])

  const out = begin()
  out.sendAt(1)
  out.stream.ended()
  assert.deepEqual(out.counts('closedEarly', 'outagesBegun'), [0, 1])
  out.stream.dialFailed('refused')
  out.stream.leave()
  out.stream.leave()
  assert.deepEqual(out.counts('closedEarly', 'refused'), [0, 1])
  // Not even a cut-off message is shown as wrong: the table of outages has it.
  assert.equal(out.traffic.evidence.wrong, undefined)
})

const one = (begin: number, end: number, more: Partial<Outage> = {}): Outage => ({
  beginNs: begin,
  openNs: end - 1,
  endNs: end,
  connections: 1,
  breaks: { reset: 1 },
  failedDials: { refused: 2 },
  lost: 3,
  firstEchoNs: end - begin,
  ...more,
})

test('outages that overlap become a row, with how many were out at once', () => {
  const rows = overlapping([one(50, 90), one(10, 30), one(20, 40), one(30, 35), one(60, Infinity)])
  assert.deepEqual(
    rows.map(row => [row.beginNs, row.openNs, row.endNs, row.connections, row.lost]),
    [
      [10, 39, 40, 2, 9],
      [50, Infinity, Infinity, 2, 6],
    ],
  )
  assert.deepEqual([rows[0]!.breaks, rows[0]!.failedDials], [{ reset: 3 }, { refused: 6 }])
  assert.equal(rows[0]!.firstEchoNs, 20)
  const many = Array.from({ length: 9 }, (_, n) => one(n * n * 10, n * n * 10 + 5))
  assert.deepEqual(
    atMost(3, many).map(({ beginNs, endNs, connections }) => [beginNs, endNs, connections]),
    [
      [0, 365, 1],
      [490, 495, 1],
      [640, 645, 1],
    ],
  )
})

test('however outages are joined, nothing of them is lost, and rows lie apart', () => {
  const span = fc.tuple(fc.nat(1_000), fc.integer({ min: 1, max: 60 }))
  fc.assert(
    fc.property(fc.array(span, { minLength: 1 }), fc.integer({ min: 1, max: 20 }), (all, most) => {
      const outages = all.map(([begin, length]) => one(begin, begin + length))
      const rows = overlapping(outages)
      const few = atMost(most, rows)
      assert.ok(few.length <= Math.max(1, most))
      for (const set of [rows, few]) {
        assert.equal(
          set.reduce((sum, { lost }) => sum + lost, 0),
          3 * outages.length,
        )
        for (const [at, row] of set.entries())
          if (at > 0) assert.ok(row.beginNs > set[at - 1]!.endNs)
        for (const { beginNs, endNs } of outages)
          assert.ok(set.some(row => row.beginNs <= beginNs && row.endNs >= endNs))
      }
      // The witness looks at each instant.
      const out = (at: number) =>
        outages.filter(({ beginNs, endNs }) => beginNs <= at && at < endNs).length
      for (const { beginNs, endNs, connections } of rows) {
        const counts = Array.from({ length: endNs - beginNs }, (_, n) => out(beginNs + n))
        assert.equal(connections, Math.max(...counts))
      }
    }),
  )
})

test('the backoff doubles from 10 ms to a second, by the seed, and never is less than half', () => {
  const all = Array.from({ length: 12 }, (_, failed) => backoffMs(7, 3, failed, failed))
  for (const [failed, wait] of all.entries()) {
    const most = Math.min(1_000, 10 * 2 ** failed)
    assert.ok(wait >= most / 2 && wait < most, `${failed}: ${wait}`)
  }
  assert.deepEqual(
    all,
    all.map((_, failed) => backoffMs(7, 3, failed, failed)),
  )
  const others = new Set(Array.from({ length: 50 }, (_, n) => backoffMs(7, n, 3, 3)))
  assert.ok(others.size > 45)
})
