import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mix } from '../vocabulary/random.ts'
import { fewestPairs, holm, intervalOf, pairsNeeded, pValue } from './randomization.ts'
import { signFlips, spreadOf } from './randomization.ts'

/** About normal, by the sum of twelve: mean 0, deviation 1. */
function noise(place: number): number {
  let sum = -6
  for (let n = 0; n < 12; n++) sum += mix(place * 12 + n) / 2 ** 32
  return sum
}
const noisy = (seed: number, count: number, deviation = 1, shift = 0) =>
  Array.from({ length: count }, (_, n) => shift + deviation * noise(seed * 1_000 + n))

/** The same by its definition: every assignment of signs, and the mean that it makes. */
function bySigns(differences: number[], shift: number): number {
  const moved = differences.map(value => value - shift)
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0)
  const [seen, all] = [mean(moved), 2 ** moved.length]
  let [above, below] = [0, 0]
  for (let signs = 0; signs < all; signs++) {
    const flipped = mean(moved.map((value, n) => ((signs >> n) & 1 ? -value : value)))
    if (flipped >= seen - 1e-9) above++
    if (flipped <= seen + 1e-9) below++
  }
  return Math.min(1, (2 * Math.min(above, below)) / all)
}

test('the p of any shift is that of all assignments of signs', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const differences = noisy(seed, 2 + (seed % 7), 1, 0.4)
    // The same difference twice, and one that is 0, are ties.
    if (seed % 3 === 0) differences.push(differences[0]!, 0)
    const flips = signFlips(differences)
    for (const shift of [0, 0.2, -0.7, differences[1]!])
      assert.ok(Math.abs(pValue(flips, shift) - bySigns(differences, shift)) < 1e-12, `${seed}`)
  }
})

test('all differences on one side are as unlikely as that many coins', () => {
  assert.equal(pValue(signFlips([1, 2, 3, 4, 5, 6])), 2 / 64)
  assert.equal(pValue(signFlips([-1, -2, -3, -4, -5, -6])), 2 / 64)
  assert.equal(pValue(signFlips([1, -1, 2, -2])), 1)
  assert.equal(pValue(signFlips([0, 0, 0])), 1)
})

test('the interval has exactly the shifts that are not rejected', () => {
  for (const level of [0.05, 0.0125]) {
    const flips = signFlips(noisy(5, 10, 1, 1))
    const [low, high] = intervalOf(flips, level)!
    assert.ok(low < flips.mean && flips.mean < high)
    for (const [shift, isIn] of [
      [low - 1e-6, false],
      [low + 1e-6, true],
      [high - 1e-6, true],
      [high + 1e-6, false],
    ] as const)
      assert.equal(pValue(flips, shift) > level, isIn, `${shift}`)
  }
})

test('with too few pairs there is no interval, and nothing is rejected', () => {
  assert.equal(fewestPairs(0.05), 6)
  assert.equal(fewestPairs(0.05 / 3), 7)
  for (const level of [0.05, 0.05 / 3]) {
    const fewest = fewestPairs(level)
    const ones = (count: number) => signFlips(Array.from({ length: count }, (_, n) => n + 1))
    assert.equal(intervalOf(ones(fewest - 1), level), null)
    assert.ok(pValue(ones(fewest - 1)) > level)
    assert.ok(intervalOf(ones(fewest), level)![0] > 0)
    assert.ok(pValue(ones(fewest)) <= level)
  }
})

test('of many pairs signs are drawn: the seed decides, and it is near the exact one', () => {
  const differences = noisy(3, 12, 1, 0.5)
  const exact = signFlips(differences)
  const drawn = signFlips(differences, 7, 10)
  assert.deepEqual([exact.exact, drawn.exact], [true, false])
  assert.ok(Math.abs(pValue(drawn) - pValue(exact)) < 0.005)
  const ends = [exact, drawn].map(flips => intervalOf(flips, 0.05)!)
  for (const side of [0, 1] as const)
    assert.ok(Math.abs(ends[0]![side] - ends[1]![side]) < 0.05, ends.join(' and '))
  assert.deepEqual(signFlips(differences, 7, 10), drawn)
  assert.notDeepEqual(signFlips(differences, 8, 10), drawn)
  assert.equal(signFlips(noisy(1, 21)).exact, false)
})

test('without a difference it rejects in no more than 5 %, outliers or not', () => {
  const shapes: [string, (value: number) => number][] = [
    ['normal', value => value],
    ['with outliers', value => value ** 5],
  ]
  for (const [name, shape] of shapes) {
    let [rejected, outside] = [0, 0]
    for (let trial = 0; trial < 400; trial++) {
      const flips = signFlips(noisy(trial, 8).map(shape))
      if (pValue(flips) <= 0.05) rejected++
      const [low, high] = intervalOf(flips, 0.05)!
      if (low > 0 || high < 0) outside++
    }
    // At most 5 % are expected: 20; 31 and more come by chance in less than 1 %.
    assert.ok(rejected > 5 && rejected <= 31, `${name}: ${rejected}`)
    assert.equal(outside, rejected)
  }
})

test("Holm's levels: each rejection makes the next one easier, until one is kept", () => {
  const tested = holm([0.02, 0.001, 0.03, 0.04], 0.05)
  assert.deepEqual(
    tested.map(({ rejected }) => rejected),
    [false, true, false, false],
  )
  assert.deepEqual(
    tested.map(({ level }) => Math.round(level * 1e6) / 1e6),
    [0.016667, 0.0125, 0.016667, 0.016667],
  )
  assert.ok(holm([0.0125, 0.0125, 0.02, 0.05], 0.05).every(({ rejected }) => rejected))
  assert.deepEqual(holm([], 0.05), [])
})

test('as many pairs as are said to be needed are enough in most experiments', () => {
  const [deviation, shift, level] = [0.1, 0.1, 0.05]
  const needed = pairsNeeded(deviation, shift, level)
  assert.ok(needed >= 8 && needed <= 14, `${needed}`)
  let found = 0
  for (let trial = 0; trial < 100; trial++)
    if (pValue(signFlips(noisy(trial, needed, deviation, shift))) <= level) found++
  assert.ok(found >= 68 && found <= 97, `${found}`)
  assert.equal(pairsNeeded(0, 1, 0.05), 6)
  assert.ok(Math.abs(spreadOf(noisy(1, 500, 3)) - 3) < 0.3)
})
