import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createPacer, evenly, poisson, type Pacer } from './pacer.ts'
import { whole } from './part.ts'

const seconds = 1e9
const pace = { ratePerSecond: 1000, connections: 1, seed: 1 }

/** The first messages of a plan: when each is due, and on which connection. */
function take(pacer: Pacer, count: number): { dueNs: number; connection: number }[] {
  return Array.from({ length: count }, () => {
    const dueNs = pacer.nextNs
    return { dueNs, connection: pacer.take() }
  })
}

test('even arrivals are spaced alike, and do not drift', () => {
  for (const ratePerSecond of [0.5, 3, 1000, 12_345.678, 1e6]) {
    const plan = take(evenly({ ...pace, ratePerSecond }, whole), 10_000)
    for (const [n, { dueNs }] of plan.entries()) {
      const difference = Math.abs(dueNs - (n / ratePerSecond) * seconds)
      assert.ok(difference < 1, `message ${n} at ${ratePerSecond}/s is ${difference} ns off`)
    }
  }
})

for (const arrivals of ['even', 'poisson'] as const) {
  test(`${arrivals}: each connection's own plan is that of all`, () => {
    const connections = 7
    const pacer = createPacer(arrivals, { ...pace, connections }, whole)
    const last = Array.from({ length: connections }, () => ({ n: 0, ns: 0 }))
    for (const { dueNs, connection } of take(pacer, 5000)) {
      const own = last[connection]!
      own.ns = pacer.plannedNs(connection, own.n++, own.ns)
      assert.equal(own.ns, dueNs)
    }
    // Every thread has its turn.
    for (const { n } of last) assert.ok(Math.abs(n - 5000 / connections) < 150, `${n} messages`)
  })
}

test('poisson arrivals keep the rate, and their gaps spread as widely as their mean', () => {
  const count = 100_000
  const plan = take(poisson({ ...pace, connections: 10 }, whole), count)
  const gaps = plan.slice(1).map(({ dueNs }, n) => dueNs - plan[n]!.dueNs)
  assert.ok(gaps.every(gap => gap >= 0))
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length
  assert.ok(Math.abs(mean / 1e6 - 1) < 0.02, `a message every ${mean} ns`)
  assert.ok(Math.abs(Math.sqrt(variance) / mean - 1) < 0.02)
  // Of an exponential distribution, the share 1 - 1/e lies below the mean.
  const below = gaps.filter(gap => gap < mean).length / gaps.length
  assert.ok(Math.abs(below - (1 - 1 / Math.E)) < 0.01, `${below} below the mean`)
})

test('the same seed gives the same arrivals, another one others', () => {
  const arrivals = (seed: number) => take(poisson({ ...pace, connections: 3, seed }, whole), 100)
  assert.deepEqual(arrivals(1), arrivals(1))
  assert.notDeepEqual(arrivals(1), arrivals(2))
})

const somePart = fc.constantFrom(whole, { first: 1, step: 2 }, { first: 0, step: 3 })

test('even: what is taken at once is what would have been taken one by one', () => {
  const some = fc.record({
    ratePerSecond: fc.double({ min: 1, max: 1e9, noNaN: true }),
    connections: fc.integer({ min: 1, max: 9 }),
    part: somePart,
    first: fc.integer({ min: 0, max: 20 }),
    share: fc.double({ min: 0, max: 200, noNaN: true }),
    most: fc.oneof(fc.integer({ min: 0, max: 150 }), fc.constant(Infinity)),
  })
  fc.assert(
    fc.property(some, ({ first, share, most, part, ...even }) => {
      fc.pre(part.first < even.connections)
      const [one, many] = [evenly({ ...pace, ...even }, part), evenly({ ...pace, ...even }, part)]
      for (const pacer of [one, many]) take(pacer, first)
      const beforeNs = (share * seconds) / even.ratePerSecond
      const wanted = Array.from({ length: even.connections }, () => 0)
      for (let n = 0; n < most && one.nextNs < beforeNs; n++) wanted[one.take()]!++
      const taken = Array.from({ length: even.connections }, () => 0)
      many.takeMany(beforeNs, most, (connection, count) => (taken[connection]! += count))
      assert.deepEqual([taken, many.nextNs], [wanted, one.nextNs])
    }),
  )
})

for (const arrivals of ['even', 'poisson'] as const) {
  test(`${arrivals}: behind what was taken at once each connection's plan is that of all`, () => {
    const connections = 5
    const pacer = createPacer(arrivals, { ...pace, connections }, whole)
    take(pacer, 100)
    const counts = Array.from({ length: connections }, () => 0)
    const fresh = createPacer(arrivals, { ...pace, connections }, whole)
    for (const { connection } of take(fresh, 100)) counts[connection]!++
    pacer.takeMany(100 * seconds, Infinity, (connection, count) => (counts[connection]! += count))
    const all = counts.reduce((sum, count) => sum + count, 0)
    assert.ok(Math.abs(all - 100_000) < 100, `${all} were due`)
    const rest = take(pacer, 50)
    assert.ok(rest.every(({ dueNs }, n) => dueNs >= (rest[n - 1]?.dueNs ?? 100 * seconds)))
    const last = counts.map((end, connection) => {
      let ns = 0
      for (let n = 0; n < end; n++) ns = pacer.plannedNs(connection, n, ns)
      const place = pacer.skip(connection, { n: 0, previousNs: 0 }, end, 100 * seconds)
      assert.equal(place.n, end)
      const half = pacer.skip(connection, { n: 0, previousNs: 0 }, end, 50 * seconds)
      assert.ok(pacer.plannedNs(connection, half.n, half.previousNs) >= 50 * seconds)
      assert.ok(pacer.plannedNs(connection, half.n, half.previousNs) < 50.02 * seconds)
      return { n: end, ns }
    })
    for (const { dueNs, connection } of rest) {
      const own = last[connection]!
      own.ns = pacer.plannedNs(connection, own.n++, own.ns)
      assert.ok(Math.abs(own.ns - dueNs) < 1000)
    }
  })
}
