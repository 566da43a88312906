import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createPacer } from './pacer.ts'
import { whole } from './part.ts'
import { countIn, lengthMs, meanRate, parseStages, staged, warmedUp, type Stage } from './stages.ts'

test('stages are read: one rate, a ramp, a ramp from the rate before', () => {
  const text = '0..10k/s over 1m, 10k/s for 5m,0 over 10s'
  assert.deepEqual(parseStages(text), [
    { text: '0..10k/s over 1m', from: 0, to: 10_000, ms: 60_000 },
    { text: '10k/s for 5m', from: 10_000, to: 10_000, ms: 300_000 },
    { text: '0 over 10s', from: 10_000, to: 0, ms: 10_000 },
  ])
  const stages = parseStages(text)
  assert.deepEqual([lengthMs(stages), countIn(stages)], [370_000, 3_350_000])
  assert.equal(meanRate(stages), 3_350_000 / 370)
})

test('what is no stage is refused in a sentence', () => {
  const refused: [text: string, why: RegExp][] = [
    ['', /'' is not a stage/],
    ['10k/s', /is not a stage/],
    ['10k/s during 5m', /is not a stage/],
    ['0..10k/s for 1m', /a ramp is A\.\.B over a time/],
    ['0..1..2 over 1m', /a ramp is A\.\.B over a time/],
    ['10/s over 1m', /has no rate to start from/],
    ['10/s for 0s', /a time of more than 0/],
    ['10/s for ever', /ever/],
    ['many for 1s', /many/],
    ['2G/s for 1s', /more than 1G\/s/],
    ['0 for 1s, 0 over 1s', /nothing is due/],
    ['10/s for 1s,', /'' is not a stage/],
  ]
  for (const [text, why] of refused) assert.throws(() => parseStages(text), why, text)
})

const rate = fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 1e6, noNaN: true }))
const someStages: fc.Arbitrary<Stage[]> = fc
  .array(fc.record({ from: rate, to: rate, ms: fc.integer({ min: 1, max: 600_000 }) }), {
    minLength: 1,
    maxLength: 6,
  })
  .map(stages => stages.map(stage => ({ text: '', ...stage })))
  .filter(stages => stages.some(({ from, to }) => from + to > 0))

test('the plan is the inverse of the integral of the rate', () => {
  fc.assert(
    fc.property(someStages, fc.double({ min: 0, max: 0.999, noNaN: true }), (stages, share) => {
      const { atNs, until } = staged(stages)
      const total = until(Infinity)
      const wanted = total * share
      const ns = atNs(wanted)
      assert.ok(ns >= 0 && ns <= lengthMs(stages) * 1e6 * (1 + 1e-9))
      assert.ok(Math.abs(until(ns) - wanted) <= 1e-6 * total, `${until(ns)} for ${wanted}`)
      assert.equal(atNs(total), Infinity)
    }),
    { numRuns: 200 },
  )
})

test('rounding moves no message over the end of a stage', () => {
  for (const rate of [10, 30, 70, 110, 300, 700, 1_100, 3_000])
    for (const ms of [100, 300, 700, 1_100]) {
      const { until, atNs } = staged(parseStages(`${rate}/s for ${ms}ms, 0 for 1s, 1/s for 1s`))
      const count = (rate * ms) / 1e3
      assert.equal(until(ms * 1e6), count)
      assert.equal(atNs(count), (ms + 1_000) * 1e6)
    }
})

test('where the rate is 0 nothing is due, and the next waits until it is not', () => {
  const stages = parseStages('0 for 1s, 10/s for 1s, 0 for 1s, 10/s for 1s')
  const pace = { ratePerSecond: 5, connections: 3, seed: 1, stages }
  const pacer = createPacer('even', pace, whole)
  const due = Array.from({ length: 20 }, () => {
    const ns = pacer.nextNs
    pacer.take()
    return Math.round(ns / 1e6)
  })
  const tens = (from: number) => Array.from({ length: 10 }, (_, n) => from + 100 * n)
  assert.deepEqual(due, [...tens(1000), ...tens(3000)])
  assert.equal(pacer.nextNs, Infinity)
})

test('a ramp of poisson arrivals has the messages of its integral', () => {
  const stages = parseStages('0..2k/s over 10s')
  const pacer = createPacer('poisson', { ratePerSecond: 1, connections: 7, seed: 3, stages }, whole)
  const due: number[] = []
  while (pacer.nextNs < Infinity) {
    due.push(pacer.nextNs)
    pacer.take()
  }
  assert.ok(Math.abs(due.length - 10_000) < 400, `${due.length}`)
  const early = due.filter(ns => ns < 5e9).length
  assert.ok(Math.abs(early - 2_500) < 200, `${early} in the first half`)
})

test('a warm-up goes before the stages, at the rate with which they begin', () => {
  const stages = parseStages('10/s for 1s, 20/s for 1s')
  assert.deepEqual(warmedUp(stages, 0), stages)
  const [first, ...rest] = warmedUp(stages, 500)
  assert.deepEqual([first!.from, first!.to, first!.ms, rest], [10, 10, 500, stages])
})
