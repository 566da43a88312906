import assert from 'node:assert/strict'
import { test } from 'node:test'
import { short } from '../full.suite.ts'
import { mix } from '../vocabulary/random.ts'
import { changeInterval, mean, median } from './bootstrap.ts'

/** Values around 100 that vary by a few percent: sums of uniform numbers, nearly normal. */
function series(length: number, seed: number, factor = 1): number[] {
  let drawn = mix(mix(seed) ^ 0x5eed)
  const uniform = () => mix(drawn++) / 2 ** 32
  const deviation = () => uniform() + uniform() + uniform() + uniform() - 2
  return Array.from({ length }, () => factor * (100 + 10 * deviation()))
}

test('nineteen of twenty intervals contain the true change', () => {
  const trials = short(200, 50)
  for (const statistic of [mean, median]) {
    for (const factor of [1, 1.2]) {
      let right = 0
      for (let trial = 0; trial < trials; trial++) {
        const [before, after] = [series(20, 2 * trial), series(20, 2 * trial + 1, factor)]
        const found = changeInterval(before, after, statistic, { resamples: 400, seed: trial })
        const [low, high] = found!
        if (low <= factor - 1 && high >= factor - 1) right++
      }
      assert.ok(right >= 0.88 * trials && right < trials, `${right} of ${trials}`)
    }
  }
})

test('a change beyond chance excludes 0, and its interval is narrower with more seconds', () => {
  const [low, high] = changeInterval(series(20, 1), series(20, 2, 1.3), mean)!
  assert.ok(low > 0.2 && high < 0.4, `${low} to ${high}`)
  const [longLow, longHigh] = changeInterval(series(500, 1), series(500, 2, 1.3), mean)!
  assert.ok(longHigh - longLow < (high - low) / 2)
})

test('it depends on the seed alone, and not on the order of the values', () => {
  const [before, after] = [series(10, 1), series(10, 2)]
  const found = changeInterval(before, after, median, { seed: 7 })
  assert.deepEqual(changeInterval(before.toReversed(), after, median, { seed: 7 }), found)
  assert.notDeepEqual(changeInterval(before, after, median, { seed: 8 }), found)
})

test('series that do not vary have an interval without width', () => {
  assert.deepEqual(changeInterval([2, 2, 2, 2, 2], [3, 3, 3, 3, 3], mean), [0.5, 0.5])
})

test('there is no interval for fewer than five values, or around nothing', () => {
  assert.equal(changeInterval([1, 2, 3, 4], [1, 2, 3, 4, 5], mean), null)
  assert.equal(changeInterval([1, 2, 3, 4, 5], [1, 2, 3, 4], mean), null)
  assert.equal(changeInterval([0, 0, 0, 0, 0], [1, 2, 3, 4, 5], mean), null)
})
