import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { build } from 'hdr-histogram-js'
import { short } from '../full.suite.ts'
import { bucketCount, bucketStartNs, highestNs, Histogram, lowestNs } from './histogram.ts'

const quantiles = [0, 0.1, 0.5, 0.9, 0.99, 0.999, 1]
const samplesNs = fc.array(fc.double({ min: 100, max: 3e11, noNaN: true }), { minLength: 1 })

test('quantiles are within 0.1 % of those of the sorted samples', () => {
  fc.assert(
    fc.property(samplesNs, samples => {
      const histogram = new Histogram()
      for (const sample of samples) histogram.record(sample)
      const sorted = samples.toSorted((a, b) => a - b)
      for (const [index, found] of histogram.quantiles(quantiles).entries()) {
        const rank = Math.max(1, Math.ceil(quantiles[index]! * sorted.length))
        const exact = sorted[rank - 1]!
        assert.ok(Math.abs(found - exact) <= exact * 0.001, `${found} for ${exact}`)
      }
    }),
    { numRuns: short(100, 20) },
  )
})

test('agrees with hdr-histogram-js on the same samples', () => {
  fc.assert(
    fc.property(samplesNs, samples => {
      const options = { lowestDiscernibleValue: 1, highestTrackableValue: 4e11 } as const
      const other = build({ ...options, numberOfSignificantValueDigits: 4 })
      const histogram = new Histogram()
      for (const sample of samples.map(Math.round)) {
        histogram.record(sample)
        other.recordValue(sample)
      }
      const found = histogram.quantiles(quantiles.slice(1))
      for (const [index, quantile] of quantiles.slice(1).entries()) {
        const theirs = other.getValueAtPercentile(quantile * 100)
        assert.ok(Math.abs(found[index]! - theirs) <= theirs * 0.0012, `${found[index]} ${theirs}`)
      }
      assert.equal(histogram.count, other.totalCount)
    }),
    { numRuns: short(30, 6) },
  )
})

test('buckets grow by less than 0.1 %, from lowest to highest', () => {
  assert.equal(bucketStartNs(0), lowestNs)
  assert.equal(bucketStartNs(bucketCount - 1), highestNs)
  for (let bucket = 1; bucket < bucketCount; bucket++) {
    const ratio = bucketStartNs(bucket) / bucketStartNs(bucket - 1)
    assert.ok(ratio > 1 && ratio < 1.001)
  }
})

test('what is out of range is counted at the ends', () => {
  const histogram = new Histogram()
  for (const sample of [0, -5, 1e300, Infinity]) histogram.record(sample)
  assert.equal(histogram.count, 4)
  const [min, max] = histogram.quantiles([0, 1])
  assert.ok(min! < 65 && max! >= highestNs)
})

test('adds and subtracts', () => {
  const [all, part] = [new Histogram(), new Histogram()]
  for (let ns = 100; ns < 1000; ns++) all.record(ns)
  for (let ns = 100; ns < 500; ns++) part.record(ns)
  all.add(part, -1)
  assert.equal(all.count, 500)
  assert.equal(all.sumNs, (500 * (500 + 999)) / 2)
  assert.ok(Math.abs(all.quantiles([0])[0]! - 500) < 1)
  assert.ok(Number.isNaN(new Histogram().quantiles([0.5])[0]))
})

test('another thread sees what is recorded in shared memory, next to others', () => {
  const memory = new SharedArrayBuffer(2 * Histogram.byteLength)
  const [first, second] = [0, Histogram.byteLength].map(at => new Histogram(memory, at))
  const reader = new Histogram(memory, Histogram.byteLength)
  first!.record(1e3)
  // The lowest, some between, the last of an octave, and the highest.
  const samples = [lowestNs, 127.99, 1e6, 1e6, highestNs]
  for (const sample of samples) second!.record(sample)
  const seen: number[] = []
  reader.forEach((_, count) => seen.push(count))
  assert.deepEqual(seen, [1, 1, 2, 1])
  assert.deepEqual([reader.count, first!.count], [5, 1])
  assert.deepEqual(reader.copy().quantiles([0, 1]), reader.quantiles([0, 1]))
})
