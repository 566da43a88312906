import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { searchHighest, type ProbeOutcome } from './search.ts'

const limits = { slowest: 1, fastest: 1e9, plausible: 0 }

/** A search on a server that carries so much; every rate that was tried. */
async function searched(capacity: number, first: number, precision: number) {
  const tried: number[] = []
  const probe = async (rate: number): Promise<ProbeOutcome> => {
    tried.push(rate)
    return rate <= capacity ? 'held' : 'failed'
  }
  return { tried, found: await searchHighest(probe, { ...limits, first, precision }) }
}

test('what is found is below the capacity, and by the precision at most', async () => {
  const rates = fc.double({ min: 4, max: 1e7, noNaN: true })
  const precisions = fc.double({ min: 0.01, max: 1, noNaN: true })
  await fc.assert(
    fc.asyncProperty(rates, rates, precisions, async (capacity, first, precision) => {
      const { tried, found } = await searched(capacity, first, precision)
      assert.ok(found.held <= capacity && found.failed > capacity)
      assert.ok(found.failed <= found.held * (1 + precision))
      // Doublings or halvings to get there, then halvings of the logarithm.
      const doublings = Math.abs(Math.log2(capacity / first)) + 3
      const bisections = Math.max(0, Math.log2(1 / Math.log2(1 + precision))) + 2
      assert.ok(tried.length <= doublings + bisections, `${tried.length} probes`)
      assert.equal(new Set(tried).size, tried.length)
    }),
  )
})

test('it doubles until it fails, then takes the geometric mean', async () => {
  const { tried } = await searched(700, 100, 0.2)
  assert.deepEqual(tried, [100, 200, 400, 800, 565.7, 672.7])
})

test('a failure at a plausible rate is repeated once, others are not', async () => {
  const tried: number[] = []
  const probe = async (rate: number): Promise<ProbeOutcome> => {
    const again = tried.includes(rate)
    tried.push(rate)
    return rate <= 400 && again ? 'held' : 'failed'
  }
  const found = await searchHighest(probe, { ...limits, first: 100, precision: 1, plausible: 400 })
  assert.deepEqual(tried, [100, 100, 200, 200, 400, 400, 800])
  assert.deepEqual(found, { held: 400, failed: 800, limited: false })
})

test('it is the generator that was the limit only if it was so in every try', async () => {
  const options = { ...limits, first: 100, precision: 1, plausible: 1e9 }
  const search = (...failures: ProbeOutcome[]) =>
    searchHighest(async rate => (rate < 200 ? 'held' : failures.shift()), options)
  assert.deepEqual(await search('limited', 'limited'), { held: 100, failed: 200, limited: true })
  assert.deepEqual(await search('failed', 'limited'), { held: 100, failed: 200, limited: false })
  assert.deepEqual(await search('limited', 'failed'), { held: 100, failed: 200, limited: false })
})

test('below what the generator could not send, what fails for the server counts', async () => {
  const probe = async (rate: number): Promise<ProbeOutcome> =>
    rate <= 500 ? 'held' : rate < 700 ? 'failed' : 'limited'
  const found = await searchHighest(probe, { ...limits, first: 100, precision: 0.05 })
  assert.ok(!found.limited && found.held <= 500 && found.failed < 700)
})

test('it ends at the slowest and the fastest rate, and when it is stopped', async () => {
  const options = { ...limits, first: 100, precision: 0.05 }
  const low = await searchHighest(async () => 'failed', { ...options, slowest: 30 })
  assert.deepEqual(low, { held: 0, failed: 50, limited: false })
  const high = await searchHighest(async () => 'held', { ...options, fastest: 300 })
  assert.deepEqual(high, { held: 200, failed: Infinity, limited: false })
  const outcomes: ProbeOutcome[] = ['held', undefined]
  const stopped = await searchHighest(async () => outcomes.shift(), options)
  assert.deepEqual(stopped, { held: 100, failed: Infinity, limited: false })
})
