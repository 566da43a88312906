/** When the thread of a load was held up, by a clock that the test turns. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Meter } from '../metrics/meter.ts'
import { Stalls } from './stalls.ts'
import type { ThreadTimes } from './thread-times.ts'

const ms = 1e6

/** A thread that wakes up every 2 ms until then. */
function awake(stalls: Stalls, fromMs: number, untilMs: number): void {
  for (let at = fromMs; at <= untilMs; at += 2) stalls.expect(at * ms, (at + 2) * ms)
}

function started(openLoop: boolean, times?: ThreadTimes) {
  const meter = new Meter()
  const stalls = new Stalls(meter, openLoop, () => times && { ...times })
  stalls.start(0, 100 * ms, 1_100 * ms)
  return { meter, stalls }
}

test('a clock that jumps is a stall, from its last sign of life on; a sleep is none', () => {
  const { stalls } = started(false)
  awake(stalls, 0, 300)
  stalls.seen(800 * ms)
  awake(stalls, 800, 900)
  // Late by less than any timer may be.
  stalls.seen(903 * ms)
  stalls.expect(903 * ms, 1_000 * ms)
  stalls.seen(1_001 * ms)
  assert.deepEqual(stalls.log, { count: 1, totalNs: 500 * ms, longest: [[200 * ms, 500 * ms]] })
})

test('what lies outside of the window does not count', () => {
  const { stalls } = started(false)
  stalls.seen(50 * ms)
  awake(stalls, 50, 90)
  stalls.seen(150 * ms)
  awake(stalls, 150, 1_050)
  stalls.seen(2_000 * ms)
  awake(stalls, 2_000, 2_100)
  stalls.seen(2_200 * ms)
  assert.deepEqual(stalls.log.longest, [
    [0, 50 * ms],
    [950 * ms, 50 * ms],
  ])
})

test('the 32 longest are told, all are counted', () => {
  const { stalls } = started(false)
  awake(stalls, 0, 100)
  for (let n = 0, at = 100; n < 40; n++) {
    at += 5 + (n % 3)
    stalls.seen(at * ms)
    stalls.expect(at * ms, at * ms)
  }
  const { count, longest } = stalls.log
  assert.deepEqual([count, longest.length], [40, 32])
  assert.ok(longest.every(([, ns]) => ns >= 5 * ms))
})

test('a message that was in flight is recorded again, with the stall and without', () => {
  const { meter, stalls } = started(false)
  awake(stalls, 0, 200)
  stalls.seen(700 * ms)
  assert.ok(650 * ms < stalls.untilNs)
  stalls.touched('response', 199 * ms, 199 * ms, 700 * ms)
  const { responseTouched, responseLess } = meter.histograms
  const [touched] = responseTouched.quantiles([1])
  const [less] = responseLess.quantiles([1])
  assert.ok(Math.abs(touched! / (501 * ms) - 1) < 0.001)
  assert.ok(Math.abs(less! / ms - 1) < 0.001)
  // Sent after it: not touched.
  assert.ok(701 * ms >= stalls.untilNs)
})

test('in an open loop what waits behind those that were delayed is touched, too', () => {
  const { meter, stalls } = started(true)
  awake(stalls, 0, 200)
  stalls.seen(700 * ms)
  stalls.touched('response', 650 * ms, 790 * ms, 800 * ms)
  assert.equal(stalls.untilNs, 800 * ms)
  stalls.touched('response', 750 * ms, 801 * ms, 810 * ms)
  stalls.touched('response', 790 * ms, 811 * ms, 820 * ms)
  assert.equal(meter.histograms.responseLess.count, 3)
  const [least, most] = meter.histograms.responseLess.quantiles([0, 1])
  assert.ok(least! < 10 * ms && most! < 11 * ms, `${least} ${most}`)
})

test('of short connections, all of which are due by a plan, the same is known', () => {
  const { meter, stalls } = started(false)
  awake(stalls, 0, 200)
  stalls.seen(700 * ms)
  // Due during the stall, begun at its end, one after the other.
  for (const [dueMs, begunMs, connectedMs, closedMs] of [
    [300, 700, 710, 712],
    [500, 702, 714, 716],
  ] as const) {
    assert.ok(dueMs * ms < stalls.untilNs)
    stalls.touched('connect', dueMs * ms, begunMs * ms, connectedMs * ms)
    stalls.touched('churn', dueMs * ms, begunMs * ms, closedMs * ms)
  }
  const { connectTouched, connectLess, churnTouched, churnLess } = meter.histograms
  assert.deepEqual([connectLess.count, churnLess.count], [2, 2])
  const ranges = [connectTouched, connectLess, churnTouched, churnLess].map(times =>
    times.quantiles([0, 1]).map(ns => Math.round(ns / ms)),
  )
  assert.deepEqual(ranges, [
    [214, 410],
    [4, 10],
    [216, 412],
    [4, 12],
  ])
  // One that is due when all that was late has begun, and is slow, is so by the server.
  const before = connectLess.count
  if (720 * ms < stalls.untilNs) stalls.touched('connect', 720 * ms, 720 * ms, 900 * ms)
  assert.equal(connectLess.count, before)
})

test('a short stall while the delay of a long one lasts does not end that', () => {
  const { meter, stalls } = started(true)
  awake(stalls, 0, 200)
  stalls.seen(450 * ms)
  stalls.touched('response', 300 * ms, 500 * ms, 502 * ms)
  awake(stalls, 450, 502)
  stalls.seen(507 * ms)
  // Due after the long one, and sent when those that were due before it were back.
  stalls.touched('response', 460 * ms, 630 * ms, 632 * ms)
  const [, most] = meter.histograms.responseLess.quantiles([0, 1])
  assert.ok(most! <= 2.1 * ms, String(most))
  // When all of that is over for long, a stall excuses its own time alone.
  awake(stalls, 507, 1_001)
  stalls.seen(1_006 * ms)
  stalls.touched('response', 1_002 * ms, 1_090 * ms, 1_100 * ms)
  const [, last] = meter.histograms.responseLess.quantiles([0, 1])
  assert.ok(last! >= 92 * ms, String(last))
})

test('what is issued when a stall begins is waited for from its end on', () => {
  const { stalls } = started(true)
  awake(stalls, 0, 200)
  stalls.seen(700 * ms)
  awake(stalls, 700, 750)
  stalls.seen(760 * ms)
  const issued = [198, 200, 700, 740, 750, 760]
  const sent = issued.map(at => stalls.sentNs(at * ms) / ms)
  assert.deepEqual(sent, [198, 700, 700, 740, 760, 760])
})

test('a thread that works for long is no stall; one that waits, or is stopped, is', () => {
  const times = { cpuNs: 0, queuedNs: 0 }
  const { stalls } = started(false, times)
  const pass = (cpuMs: number, queuedMs: number, offMs: number) => {
    const now = (at += cpuMs + queuedMs + offMs) * ms
    Object.assign(times, {
      cpuNs: times.cpuNs + cpuMs * ms,
      queuedNs: times.queuedNs + queuedMs * ms,
    })
    stalls.expect(now, now)
    return stalls.log.count
  }
  let at = 100
  stalls.expect(at * ms, at * ms)
  stalls.note(at * ms, { ...times })
  assert.equal(pass(30, 0, 0), 0)
  assert.equal(pass(1, 8, 0), 1)
  assert.equal(pass(0, 0, 100), 2)
  assert.deepEqual(
    stalls.log.longest.map(([, ns]) => Math.round(ns / ms)),
    [8, 100],
  )
})

test('a server that is behind by itself is not excused by a short stall', () => {
  const { meter, stalls } = started(true)
  awake(stalls, 0, 200)
  stalls.seen(205 * ms)
  // Each is deferred for longer than the one before.
  for (let n = 0; n < 200; n++) {
    const plannedNs = (200 + n) * ms
    const nowNs = (210 + 2 * n) * ms
    if (plannedNs < stalls.untilNs) stalls.touched('response', plannedNs, nowNs - ms, nowNs)
  }
  const [, most] = meter.histograms.responseLess.quantiles([0, 1])
  assert.ok(most! >= (10 + 199 - 5) * ms, String(most))
})

test('if the kernel says when replies come, a stall delays only what is to be sent', () => {
  const { meter, stalls } = started(true)
  stalls.stamped = true
  awake(stalls, 0, 200)
  stalls.seen(700 * ms)
  const { responseLess, serviceLess } = meter.histograms
  // Sent before the stall, and back in it; and even if the server took until after it.
  for (const cameMs of [203, 800]) {
    stalls.touched('response', 198 * ms, 198 * ms, cameMs * ms)
    stalls.touched('service', 198 * ms, 198 * ms, cameMs * ms)
  }
  assert.deepEqual([responseLess.count, serviceLess.count], [0, 0])
  // One that was issued late before it, and came back in it, does not end it.
  stalls.touched('response', 190 * ms, 198 * ms, 210 * ms)
  assert.equal(stalls.untilNs, 700 * ms)
  // Issued at its beginning, and so perhaps sent at its end.
  stalls.touched('service', 200 * ms, 200 * ms, 705 * ms)
  assert.deepEqual(rounded(serviceLess), [5])
  // Due in it.
  stalls.touched('response', 300 * ms, 700 * ms, 704 * ms)
  stalls.touched('service', 700 * ms, 700 * ms, 704 * ms)
  assert.deepEqual([rounded(responseLess), serviceLess.count], [[4], 1])
})

test('in a closed loop, too; the stall itself is told all the same', () => {
  const { meter, stalls } = started(false)
  stalls.stamped = true
  awake(stalls, 0, 200)
  stalls.seen(700 * ms)
  const { responseTouched, responseLess } = meter.histograms
  stalls.touched('response', 198 * ms, 198 * ms, 203 * ms)
  assert.equal(responseLess.count, 0)
  // Issued at its beginning: it came back after the stall, so it may have left only then.
  stalls.touched('response', 200 * ms, 200 * ms, 705 * ms)
  assert.deepEqual([rounded(responseTouched), rounded(responseLess)], [[505], [5]])
  assert.deepEqual(stalls.log.longest, [[100 * ms, 500 * ms]])
})

test('the stamps of replies say nothing of short connections', () => {
  const { meter, stalls } = started(true)
  stalls.stamped = true
  awake(stalls, 0, 200)
  stalls.seen(700 * ms)
  for (const name of ['connect', 'churn'] as const)
    stalls.touched(name, 198 * ms, 198 * ms, 703 * ms)
  const { connectLess, churnLess } = meter.histograms
  assert.deepEqual([rounded(connectLess), rounded(churnLess)], [[5], [5]])
})

const rounded = (times: { count: number; quantiles: (at: number[]) => number[] }) =>
  times.count === 1 ? times.quantiles([1]).map(ns => Math.round(ns / ms)) : [times.count]
