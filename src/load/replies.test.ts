import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Replies, windowOf, type ReplyLog } from './replies.ts'

const ms = 1e6
const s = 1e9

/** What one thread logged that began at 0, by the instants of its replies. */
function logOf(atNs: readonly number[], more: Partial<ReplyLog> = {}): ReplyLog {
  const replies = new Replies(0)
  for (const at of atNs) replies.record(at, 1)
  const { firstNs, lastNs, slotNs, counts } = replies
  return {
    fromNs: 0,
    lengthNs: 3 * s,
    byClock: false,
    most: Infinity,
    sent: atNs.length,
    firstNs,
    lastNs,
    slotNs,
    counts,
    ...more,
  }
}

const every = (gapNs: number, count: number, delayNs: number) =>
  Array.from({ length: count }, (_, n) => n * gapNs + delayNs)

test('a fixed delay takes nothing from the rate', () => {
  assert.deepEqual(windowOf([logOf(every(5 * ms, 600, 1 * s))]), {
    seconds: 3,
    achieved: 600,
    sent: 600,
    counted: false,
  })
})

test('one straggler takes one reply from it, however late', () => {
  const late = [...every(10 * ms, 799, 1 * ms), 12 * s]
  assert.equal(windowOf([logOf(late, { lengthNs: 8 * s })]).achieved, 799)
})

test('what came after an interval of that length does not count', () => {
  assert.equal(windowOf([logOf(every(1 * ms, 6000, 1 * s))]).achieved, 3000)
})

test('threads have one interval, which begins with the first reply of all', () => {
  const early = logOf(every(10 * ms, 300, 0.1 * s))
  // Its clock began 50 ms later.
  const late = logOf(every(10 * ms, 300, 0.503 * s), { fromNs: 0.05 * s })
  assert.deepEqual(windowOf([early, late]).achieved, 300 + 255)
})

test('in a closed loop the window itself counts, and what came before it does not', () => {
  const replies = new Replies(1 * s)
  for (const at of [0.5 * s, 1 * s, 2 * s, 4.5 * s]) replies.record(at, 2)
  assert.equal(
    replies.counts.reduce((sum, count) => sum + count),
    6,
  )
  assert.equal(windowOf([logOf(every(500 * ms, 20, 0), { byClock: true })]).achieved, 6)
})

test('nothing that came is nothing', () => {
  assert.deepEqual(windowOf([logOf([])]), { seconds: 3, achieved: 0, sent: 0, counted: false })
  assert.deepEqual(windowOf([]), { seconds: 0, achieved: 0, sent: 0, counted: false })
})

test('however long it takes, it is off by what comes within 1/4,096 of that at most', () => {
  const gaps = fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 1 })
  fc.assert(
    fc.property(gaps, fc.double({ min: 0, max: 2, noNaN: true }), (gapsNs, share) => {
      let at = 0
      const instants = gapsNs.map(gap => (at += gap))
      const last = instants.at(-1)!
      const lengthNs = share * last
      const log = logOf(instants, { lengthNs, byClock: true })
      const slackNs = Math.max(last / 4096, 50_000)
      const until = (ns: number) => instants.filter(instant => instant <= ns).length
      const { achieved } = windowOf([log])
      assert.ok(achieved >= until(lengthNs - slackNs) - 1, `${achieved}`)
      assert.ok(achieved <= until(lengthNs + slackNs) + 1, `${achieved}`)
    }),
  )
})
