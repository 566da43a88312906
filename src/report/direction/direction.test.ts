/** Rates, grades and sums out of what receivers and systems said. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseAddress } from '../../vocabulary/address.ts'
import { loadedHtml } from './loaded-html.ts'
import { gradeOf, trimmedMean, type LoadedResult } from './loaded.ts'
import { responsivenessOf, trimmed } from './responsiveness.ts'
import { bytesAt, rateOf, secondsOf } from './received-rates.ts'
import { tcpOf } from './tcp.ts'
import { formatBits } from './bits.ts'
import { checkMeasured, parseDirectionObjective } from './objective.ts'

/** 1,000 bytes a second, slower at first: a mark every 100 ms, from 2 s of the receiver's clock. */
const marks = Array.from({ length: 51 }, (_, n) => {
  const atMs = n * 100
  return [2_000 + atMs, atMs < 1_000 ? atMs / 10 : atMs - 900] as const
})
const report = { bytes: marks.at(-1)![1], atMs: marks.at(-1)![0], wrongBytes: 0 }

test('a rate is that of the window, by the clock of the receiver', () => {
  assert.equal(rateOf(report, marks, { fromMs: 1_000, lengthMs: 3_000 }), 1_000)
  assert.equal(rateOf(report, marks, { fromMs: 1_000, lengthMs: Infinity }), 1_000)
  assert.equal(rateOf(report, marks, { fromMs: 0, lengthMs: 1_000 }), 100)
  assert.equal(rateOf(undefined, [], { fromMs: 0, lengthMs: 1_000 }), undefined)
  // Over before the warm-up was: all of it counts.
  assert.equal(rateOf(report, marks, { fromMs: 60_000, lengthMs: 1_000 }), 820)
})

test('between two marks it is in proportion; whole seconds are those that were seen', () => {
  assert.equal(bytesAt(report, marks, 1_550), 650)
  assert.equal(bytesAt(report, marks, 99_000), report.bytes)
  assert.equal(secondsOf(report, marks, { fromMs: 1_000, lengthMs: Infinity }), 4)
  assert.equal(secondsOf(report, marks, { fromMs: 1_000, lengthMs: 2_000 }), 2)
  assert.equal(secondsOf(undefined, [], { fromMs: 0, lengthMs: 5_000 }), 0)
})

test('what was sent again is told for each second, over all flows', () => {
  const sample = (atMs: number, retransmits: number, rttUs: number) =>
    ({ atMs, retransmits, rttUs, windowBytes: 10 }) as const
  const one = [sample(1_000, 3, 100), sample(2_000, 3, 300), sample(3_000, 10, 100)]
  const other = [sample(1_000, 1, 300), sample(2_000, 2, 100)]
  const { retransmits, seconds } = tcpOf([one, [], other])!
  assert.equal(retransmits, 12)
  assert.deepEqual(
    seconds.map(({ retransmits, rttUs }) => [retransmits, rttUs]),
    [
      [4, 200],
      [1, 200],
      [7, 100],
    ],
  )
  assert.equal(tcpOf([[], []]), undefined)
})

test('the slowest twentieth is left out of the mean', () => {
  const buckets = [
    [100, 10],
    [200, 9],
    [1e6, 1],
  ] as const
  assert.equal(trimmedMean(buckets), (1_000 + 1_800) / 19)
  assert.equal(trimmedMean([]), undefined)
})

test('a grade says what is added', () => {
  const words = [undefined, -10, 4_999, 5_000, 59e3, 61e3, 399e3, 4e6].map(gradeOf)
  assert.deepEqual(words, [
    null,
    'none',
    'none',
    'slight',
    'noticeable',
    'bad',
    'severe',
    'unusable',
  ])
})

test('rates are those of network people: bits, and powers of ten', () => {
  assert.deepEqual([0, 1, 125, 124_999, 1_250_000, 9.876e9].map(formatBits), [
    '0 bit/s',
    '8 bit/s',
    '1 kbit/s',
    '1 Mbit/s',
    '10 Mbit/s',
    '79 Gbit/s',
  ])
})

test('responsiveness: means of three parts of new connections, and of those that load', () => {
  const foreign = Array.from({ length: 50 }, (_, n) => {
    const atMs = n * 100
    return { atMs, tcpMs: 10, tlsMs: 20, httpMs: 30 }
  })
  const self = [0, 1, 2, 3, 4].map(second => ({ atMs: second * 1e3, rttMs: 60 }))
  const found = responsivenessOf(foreign, self, 5_000)
  // 60,000 by 20 ms, and by 60 ms; the mean of both.
  assert.equal(found.rpm, (3000 + 1000) / 2)
  assert.deepEqual([found.confidence, found.foreignProbes, found.selfProbes], ['high', 40, 4])
  // What comes slower each second is not stable.
  const slower = foreign.map(({ atMs }) => {
    const times = 1 + Math.floor(atMs / 1e3)
    return { atMs, tcpMs: 10 * times, tlsMs: 20 * times, httpMs: 30 * times }
  })
  assert.equal(responsivenessOf(slower, self, 5_000).confidence, 'medium')
  assert.equal(responsivenessOf(foreign, self.slice(-1), 5_000).confidence, 'low')
  const none = responsivenessOf(foreign, [], 5_000)
  assert.deepEqual([none.rpm, none.confidence], [null, null])
  assert.match(none.because!, /no kernel told/)
  // The slowest twentieth is left out.
  assert.equal(trimmed([...Array<number>(95).fill(1), 9, 9, 9, 9, 9]), 1)
})

test('a figure is refused where it is not measured', () => {
  const check = (objective: string, place: string) =>
    checkMeasured([parseDirectionObjective(objective)], 'up', parseAddress(place))
  for (const place of ['udp://:1', 'unix:x'])
    assert.throws(() => check('up.retransmits=0', place), /is not for (udp|unix): .* of TCP/)
  for (const place of [':1', 'unix:x']) assert.throws(() => check('up.lost=0', place), /is for udp/)
  check('up.retransmits=0', 'https://:1')
  check('up.lost=0', 'udp://:1')
})

test('the page of a path under load has its objectives, held or missed', () => {
  const path = new URL('../../../fixtures/loaded.json', import.meta.url)
  const result = JSON.parse(readFileSync(path, 'utf8')) as LoadedResult
  const expectations = [
    { objective: 'added.p50<30ms', measured: 1e3, measuredText: '1ms', held: true },
    { objective: 'perMinute>=1000', measured: 9, measuredText: '9', held: false },
  ]
  const page = loadedHtml({ ...result, expectations })
  assert.match(page, /added\.p50&lt;30ms[^]*1ms[^]*held[^]*perMinute&gt;=1000[^]*missed/)
  assert.doesNotMatch(loadedHtml({ ...result, expectations: [] }), /Expectations/)
})
