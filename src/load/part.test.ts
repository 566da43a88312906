/** However a load is divided, its parts together are message by message the plan of one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { counted, shareOf } from './counted.ts'
import { createChurnPlan } from './churn-plan.ts'
import { arrivalNames, createPacer, type Arrivals, type Pace } from './pacer.ts'
import { ownBefore, partOf, sizeOf, whole, type Part } from './part.ts'
import { createPayload } from './payload.ts'
import { createSizes } from './sizes.ts'
import { parseStages } from './stages.ts'

const payload = createPayload({ kind: 'seeded', seed: 7 })

const mixed = [
  { minBytes: 1, maxBytes: 9_000, weight: 1 },
  { minBytes: 64, maxBytes: 64, weight: 9 },
]

interface Plan extends Pace {
  arrivals: Arrivals
}

/** What a part sends before an instant, as text: connection, number, instant, size, payload. */
function messages({ arrivals, ...pace }: Plan, part: Part, untilNs: number): string[] {
  const own = sizeOf(part, pace.connections)
  if (own === 0) return []
  const pacer = createPacer(arrivals, pace, part)
  const sizes = createSizes(mixed, pace.seed)
  const streams = Array.from({ length: own }, () => ({ n: 0, bytes: 0 }))
  const sent: string[] = []
  for (let previousNs = 0; pacer.nextNs < untilNs;) {
    const dueNs = pacer.nextNs
    assert.ok(dueNs >= previousNs, 'in order of time')
    previousNs = dueNs
    const place = pacer.take()
    const stream = streams[place]!
    const connection = part.first + place * part.step
    const sizeBytes = sizes.of(connection, stream.n)
    const at = payload.at(connection, stream.bytes)
    sent.push([connection, stream.n, dueNs, sizeBytes, stream.bytes, at].join(' '))
    stream.n++
    stream.bytes += sizeBytes
  }
  return sent
}

const plans = fc.record({
  arrivals: fc.constantFrom(...arrivalNames),
  ratePerSecond: fc.double({ min: 0.1, max: 1e7, noNaN: true }),
  connections: fc.integer({ min: 1, max: 40 }),
  seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  stages: fc.constant(undefined),
})
const changing: fc.Arbitrary<Plan> = fc.record({
  arrivals: fc.constantFrom(...arrivalNames),
  ratePerSecond: fc.constant(1),
  connections: fc.integer({ min: 1, max: 40 }),
  seed: fc.nat(),
  stages: fc.constantFrom(
    ...['0..1k/s over 300ms', '100/s for 1s, 0 over 1s, 0 for 1s, 50/s for 1s'].map(parseStages),
  ),
})
/** A load in slices, each of several threads. */
const division = fc.record({
  slices: fc.integer({ min: 1, max: 5 }),
  threads: fc.integer({ min: 1, max: 4 }),
})
const partsOf = ({ slices, threads }: { slices: number; threads: number }) =>
  Array.from({ length: slices }, (_, slice) =>
    Array.from({ length: threads }, (_, n) => partOf(n, threads, partOf(slice, slices))),
  ).flat()

test('parts of parts have each thing once', () => {
  fc.assert(
    fc.property(division, fc.nat(99), fc.integer({ min: 1, max: 20 }), (into, all, turn) => {
      const parts = partsOf(into)
      const owners = Array.from({ length: all }, (_, thing) =>
        parts.filter(
          part => thing % turn >= part.first && ((thing % turn) - part.first) % part.step === 0,
        ),
      )
      for (const owner of owners) assert.equal(owner.length, 1)
      for (const part of parts) {
        const own = owners.filter(([owner]) => owner === part).length
        assert.equal(ownBefore(part, turn, all), own)
        assert.equal(shareOf(part, turn, all), own)
      }
    }),
    { numRuns: 50 },
  )
})

test('the union of any parts is message by message the plan of one', () => {
  fc.assert(
    fc.property(fc.oneof(plans, changing), division, fc.nat(300), (plan, into, share) => {
      const untilNs = (share * 1e9) / plan.ratePerSecond
      const all = messages(plan, whole, untilNs)
      const union = partsOf(into).flatMap(part => messages(plan, part, untilNs))
      assert.deepEqual(union.toSorted(), all.toSorted())
    }),
    { numRuns: 50 },
  )
})

test('even: message n of connection g is due at (n * connections + g) gaps', () => {
  const plan: Plan = { arrivals: 'even', ratePerSecond: 1000, connections: 3, seed: 1 }
  const sent = messages(plan, partOf(1, 2), 8.5e6).map(text => text.split(' ').slice(0, 3))
  assert.deepEqual(sent, [
    ['1', '0', '1000000'],
    ['1', '1', '4000000'],
    ['1', '2', '7000000'],
  ])
})

test('a count is so many messages of the whole plan, and each part has its own of them', () => {
  const counts = fc.record({ warmup: fc.nat(50), count: fc.integer({ min: 1, max: 200 }) })
  fc.assert(
    fc.property(plans, division, counts, (plan, into, { warmup, count }) => {
      const { arrivals, ...pace } = plan
      const warmupMs = (warmup * 1e3) / pace.ratePerSecond
      const { fromNs, untilNs, of } = counted(arrivals, pace, warmupMs, count)
      const timeOf = (text: string) => Number(text.split(' ')[2])
      const wanted = messages(plan, whole, untilNs).filter(text => timeOf(text) >= warmupMs * 1e6)
      assert.equal(wanted.length, count)
      assert.equal(Math.min(...wanted.map(timeOf)), fromNs)
      // Each takes of its own plan what it has of the count, and looks at no other.
      const union = partsOf(into).flatMap(part =>
        messages(plan, part, untilNs * 1.5)
          .filter(text => timeOf(text) >= warmupMs * 1e6)
          .slice(0, of(part)),
      )
      assert.deepEqual(union.toSorted(), wanted.toSorted())
    }),
    { numRuns: 50 },
  )
})

test('short connections: the parts together begin those of the whole, with their numbers', () => {
  const churn = fc.record({
    arrivals: fc.constantFrom(...arrivalNames),
    ratePerSecond: fc.double({ min: 0.1, max: 1e5, noNaN: true }),
    seed: fc.nat(),
    skipped: fc.nat(40),
  })
  fc.assert(
    fc.property(churn, division, fc.nat(200), ({ arrivals, skipped, ...pace }, into, share) => {
      const untilNs = (share * 1e9) / pace.ratePerSecond
      const begun = (part: Part) => {
        const plan = createChurnPlan(arrivals, pace, part)
        const all: [number, number][] = []
        while (plan.nextNs < untilNs) all.push([plan.nextNs, plan.take()])
        return all
      }
      const inOrder = (all: [number, number][]) => all.toSorted(([, a], [, b]) => a - b)
      assert.deepEqual(inOrder(partsOf(into).flatMap(begun)), inOrder(begun(whole)))
      // At once as one by one, where gaps are not random.
      for (const part of partsOf(into)) {
        const [one, many] = [
          createChurnPlan('even', pace, part),
          createChurnPlan('even', pace, part),
        ]
        let taken = 0
        for (; one.nextNs < (skipped * 1e9) / pace.ratePerSecond; taken++) one.take()
        const atOnce = many.takeMany((skipped * 1e9) / pace.ratePerSecond)
        assert.deepEqual([atOnce, many.nextNs], [taken, one.nextNs])
        assert.equal(many.take(), one.take())
      }
    }),
    { numRuns: 50 },
  )
})
