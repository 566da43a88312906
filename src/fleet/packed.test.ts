import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../full.suite.ts'
import { counterNames, histogramNames, Meter } from '../metrics/meter.ts'
import { takeSnapshot } from '../metrics/snapshot.ts'
import { saveSnapshot } from '../metrics/saved.ts'
import { countsMaxBytes, tickAt } from './messages.ts'
import { changesIn, changesSince, pack, splitChanges, unpack } from './packed.ts'
import { SnapshotSum } from '../metrics/sum.ts'
import { AgentTotals } from './totals.ts'

const step = fc.record({
  agent: fc.nat(2),
  counter: fc.nat(counterNames.length - 1),
  more: fc.integer({ min: 0, max: 2 ** 40 }),
  histogram: fc.nat(histogramNames.length - 1),
  samples: fc.array(fc.double({ min: 50, max: 1e12, noNaN: true }), { maxLength: 5 }),
  /** Whether it comes, whether it is acknowledged, and whether it comes twice. */
  comes: fc.boolean(),
  known: fc.boolean(),
  twice: fc.boolean(),
  /** How large a message may be. */
  mostBytes: fc.constantFrom(700, 900, Infinity),
})

test('what comes, late, twice or not at all, adds up to what was counted', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), steps => {
      const totals = new SnapshotSum()
      const agents = Array.from({ length: 3 }, () => ({
        meter: new Meter(),
        counted: new AgentTotals(totals),
        base: undefined as ReturnType<typeof takeSnapshot> | undefined,
      }))
      interface Told {
        known: boolean
        twice: boolean
        mostBytes: number
      }
      const tell = (agent: (typeof agents)[number], { known, twice, mostBytes }: Told) => {
        const now = takeSnapshot([agent.meter])
        for (const part of splitChanges(changesSince(agent.base, now), mostBytes)) {
          const packed = pack(part)
          assert.ok(packed.length <= mostBytes, `${packed.length} of ${mostBytes} bytes`)
          agent.counted.take(unpack(packed))
          if (twice) agent.counted.take(unpack(packed))
        }
        if (known) agent.base = now
      }
      for (const { agent: n, counter, more, histogram, samples, comes, ...told } of steps) {
        const agent = agents[n]!
        agent.meter.counters[counter]! += more
        for (const ns of samples) agent.meter.histograms[histogramNames[histogram]!].record(ns)
        if (comes) tell(agent, told)
      }
      for (const agent of agents) tell(agent, { known: true, twice: false, mostBytes: 700 })
      const whole = takeSnapshot(agents.map(({ meter }) => meter))
      const rounded = (snapshot: typeof whole) =>
        JSON.parse(
          JSON.stringify({ ...saveSnapshot(snapshot), atMs: 0 }, (key, value: unknown) =>
            key === 'sumNs' ? Math.round((value as number) / 1e3) : value,
          ),
        ) as unknown
      assert.deepEqual(rounded(totals.snapshot(0)), rounded(whole))
      for (const { counted, meter } of agents)
        assert.deepEqual(rounded(counted.snapshot(0)), rounded(takeSnapshot([meter])))
    }),
    { numRuns: short(50, 5) },
  )
})

test('counts of any size are told in messages of at most 16 kB', () => {
  const meter = new Meter()
  for (const name of histogramNames.slice(0, 5))
    for (let ns = 64; ns < 1e10; ns *= 1.01) meter.histograms[name].recordMany(ns, 2 ** 40)
  for (const n of counterNames.keys()) meter.counters[n] = 2 ** 52
  const now = takeSnapshot([meter])
  const packed = splitChanges(changesSince(undefined, now), countsMaxBytes).map(pack)
  const sizes = packed.map(({ length }) => length)
  assert.ok(Math.max(...sizes) <= countsMaxBytes && Math.max(...sizes) + 300 < 16_384)
  // Nothing is wasted: all but the last are full.
  for (const size of sizes.slice(0, -1)) assert.ok(size > countsMaxBytes - 32, String(sizes))
  const totals = new SnapshotSum()
  const counted = new AgentTotals(totals)
  for (const part of packed.toReversed()) counted.take(unpack(part))
  for (const found of [totals.snapshot(now.atMs), counted.snapshot(now.atMs)])
    assert.deepEqual(saveSnapshot(found), saveSnapshot(now))
  const saved = saveSnapshot(now)
  assert.deepEqual(changesIn(saved), changesSince(undefined, now))
  counted.release()
  assert.deepEqual(saveSnapshot(totals.snapshot(now.atMs)), saved)
})

test('what is cut or wrong is refused', () => {
  const meter = new Meter()
  meter.counters[3] = 2 ** 50
  meter.histograms.response.record(1e6)
  const packed = pack(changesSince(undefined, takeSnapshot([meter])))
  for (let length = 0; length < packed.length; length++)
    assert.throws(() => unpack(packed.subarray(0, length)), RangeError)
  assert.throws(() => unpack(Buffer.of(255, 255, 0, 0)), RangeError)
  assert.throws(() => unpack(Buffer.of(0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0)), RangeError)
})

test('counts are told at the ends of seconds, and of the window', () => {
  const ticks = (warmupMs: number, durationMs: number) =>
    Array.from({ length: 5 }, (_, tick) => tickAt(tick, warmupMs, durationMs))
  assert.deepEqual(ticks(0, 10_000), [1_000, 2_000, 3_000, 4_000, 5_000])
  assert.deepEqual(ticks(1_000, 2_500), [1_000, 2_000, 3_000, 3_500, 4_500])
  assert.deepEqual(ticks(2_500, 300), [500, 1_500, 2_500, 2_800, 3_800])
  assert.deepEqual(ticks(0, Infinity), [1_000, 2_000, 3_000, 4_000, 5_000])
})
