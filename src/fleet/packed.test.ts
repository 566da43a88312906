import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../full.suite.ts'
import { counterNames, histogramNames, Meter } from '../metrics/meter.ts'
import { takeSnapshot } from '../metrics/snapshot.ts'
import { saveSnapshot } from '../metrics/saved.ts'
import { tickAt } from './messages.ts'
import { changesSince, pack, unpack } from './packed.ts'
import { Counted, Totals } from './totals.ts'

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
})

test('what comes, late, twice or not at all, adds up to what was counted', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), steps => {
      const totals = new Totals()
      const agents = Array.from({ length: 3 }, () => ({
        meter: new Meter(),
        counted: new Counted(totals),
        base: undefined as ReturnType<typeof takeSnapshot> | undefined,
      }))
      const tell = (agent: (typeof agents)[number], known: boolean, twice: boolean) => {
        const now = takeSnapshot([agent.meter])
        const packed = pack(changesSince(agent.base, now))
        agent.counted.take(unpack(packed))
        if (twice) agent.counted.take(unpack(packed))
        if (known) agent.base = now
      }
      for (const { agent: n, counter, more, histogram, samples, comes, known, twice } of steps) {
        const agent = agents[n]!
        agent.meter.counters[counter]! += more
        for (const ns of samples) agent.meter.histograms[histogramNames[histogram]!].record(ns)
        if (comes) tell(agent, known, twice)
      }
      for (const agent of agents) tell(agent, true, false)
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
