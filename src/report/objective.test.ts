import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../full.suite.ts'
import { UserError } from '../vocabulary/errors.ts'
import { bucketMiddleNs, Histogram } from '../metrics/histogram.ts'
import { meets, parseMetric, parseObjective } from './objective.ts'
import type { RunResult } from './result.ts'
import { distribution } from './summarize.ts'

/** What objectives look at, from samples in microseconds. */
function resultOf(us: number[], others: Partial<RunResult> = {}): RunResult {
  const histogram = new Histogram()
  for (const value of us) histogram.record(value * 1e3)
  const buckets: [number, number][] = []
  histogram.forEach((bucket, count) => buckets.push([bucketMiddleNs(bucket) / 1e3, count]))
  const none = distribution(new Histogram())
  return {
    seconds: 2,
    rates: { plannedPerSecond: null, sentPerSecond: 60_000, achievedPerSecond: 50_012.3 },
    messages: {
      planned: 100_000,
      sent: 0,
      received: 0,
      lost: 20,
      unfinished: 5,
      wrong: 1,
      deferred: 7,
    },
    errors: { reset: 2, other: 1 },
    generator: { cpuShare: null },
    run: { threads: 1 },
    responseUs: distribution(histogram),
    serviceUs: none,
    latenessUs: none,
    connectUs: { ...none, p99: 700 },
    histograms: { responseUs: buckets, serviceUs: [], latenessUs: [], connectUs: [] },
    ...others,
  } as unknown as RunResult
}

const thousand = resultOf(Array.from({ length: 1000 }, (_, index) => (index + 1) * 10))

test('objectives hold or do not, and say what was measured', () => {
  const rows: [objective: string, held: boolean, measuredText: string][] = [
    ['p50<6ms', true, '5.00ms'],
    ['p50 < 4.9ms', false, '5.00ms'],
    ['p99>9ms', true, '9.90ms'],
    ['response.p99>=9ms', true, '9.90ms'],
    ['  p99.9 <= 10ms  ', false, 'not known: 1,000 of the 10,000 samples that it takes'],
    ['p98.9 <= 10ms  ', true, '9.89ms'],
    ['p999<9.9ms', false, 'not known: 1,000 of the 10,000 samples that it takes'],
    ['p95<9.4ms', false, '9.50ms'],
    ['max<11ms', true, '10.0ms'],
    ['mean<5ms', false, '5.005ms'],
    ['min>0', true, '10.0us'],
    ['connect.p99<1ms', true, '700us'],
    ['service.p99<1ms', false, 'no sample'],
    ['lateness.p95<1ms', false, 'no sample'],
    ['loss<0.1%', true, '0.025%'],
    ['loss=0', false, '0.025%'],
    ['lost==25', true, '25'],
    ['errors=0', false, '3'],
    ['wrong<=1', true, '1'],
    ['deferred>7', false, '7'],
    ['rate>50k/s', true, '50,012/s'],
    ['rate >= 60k', false, '50,012/s'],
    ['rate>=3M/m', true, '50,012/s'],
  ]
  for (const [text, held, measuredText] of rows) {
    const found = meets(parseObjective(text), thousand)
    assert.equal(found.objective, text)
    assert.equal(found.held, held, text)
    assert.equal(found.measuredText, measuredText, text)
  }
})

test('what was measured is in the unit of the objective', () => {
  const measured = (text: string) => meets(parseObjective(text), thousand).measured
  assert.equal(measured('loss<1%'), 25 / 100_000)
  assert.equal(measured('rate>1'), 50_012.3)
  assert.equal(measured('connect.p99<1s'), 700)
  assert.equal(measured('service.p99<1s'), null)
})

test('a value beside the limit is not written like the limit', () => {
  const result = resultOf([], {
    rates: { plannedPerSecond: null, sentPerSecond: 0, achievedPerSecond: 49_999.7 },
  })
  const found = meets(parseObjective('rate>=50k'), result)
  assert.deepEqual([found.held, found.measuredText], [false, '49999.7/s'])
})

test('nothing planned is no loss of 0', () => {
  const nothing = { ...thousand.messages, planned: 0, lost: 0, unfinished: 0 }
  assert.equal(meets(parseObjective('loss=0'), resultOf([], { messages: nothing })).held, false)
})

test('what is none is refused in one line that names the metrics', () => {
  const bad = ['', 'p99', '<5ms', 'p99<', 'p99<5', 'p99<5k', 'rate<5ms', 'loss=3ms', 'loss<0.5']
  bad.push('p0<1ms', 'p101<1ms', 'p125<1ms', 'p99.<1ms', 'latency<1ms', 'other.p99<1ms')
  bad.push('service.loss<1%', 'errors<0.5', 'errors<-1', 'p99<+10%', 'p99<<5ms', 'p99=<5ms')
  bad.push('p99!=5ms', 'toString<5ms', 'constructor.p99<5ms', 'p99<5ms,p50<1ms', 'service.p99')
  for (const text of bad) {
    const refused = (error: unknown) => {
      assert.ok(error instanceof UserError, `${text}: ${String(error)}`)
      const line = `${error.message} ${error.hint}`
      return /p99\.9.*loss.*rate/.test(line) && !line.includes('\n')
    }
    assert.throws(() => parseObjective(text), refused, text)
  }
})

test('any percentile is the nearest rank of the sorted samples', () => {
  const samples = fc.array(fc.integer({ min: 1, max: 1e7 }), { minLength: 1, maxLength: 60 })
  const tenths = fc.integer({ min: 1, max: 1000 })
  fc.assert(
    fc.property(samples, tenths, (us, tenth) => {
      const found = parseMetric(`p${tenth / 10}`).of(resultOf(us))
      // In whole numbers, so that it is exact.
      const rank = Math.ceil((tenth * us.length) / 1000)
      const exact = us.toSorted((a, b) => a - b)[rank - 1]!
      const beyond = tenth > 500 ? us.length - rank : rank - 1
      const isKnown = beyond >= 10 || tenth === 500 || tenth === 1000
      assert.equal(found !== null, isKnown, `${found} of ${us.length}`)
      if (found === null) return
      assert.ok(Math.abs(found - exact) <= exact * 0.001, `${found} for ${exact}`)
    }),
    { numRuns: short(60, 10) },
  )
})

test('of < and >= exactly one holds, of > and <= as well', () => {
  const us = fc.array(fc.integer({ min: 1, max: 1e5 }), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(us, fc.integer({ min: 1, max: 1e5 }), (us, limit) => {
      const result = resultOf(us)
      const held = (operator: string) =>
        meets(parseObjective(`p50${operator}${limit}us`), result).held
      assert.notEqual(held('<'), held('>='))
      assert.notEqual(held('>'), held('<='))
      assert.equal(held('='), held('<=') && held('>='))
    }),
    { numRuns: short(30, 8) },
  )
})
