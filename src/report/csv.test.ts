import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadCsv } from './csv.ts'
import type { Interval } from './result.ts'
import { roundTripsUs, sampleResult } from './sample.suite.ts'

const header =
  'second,seconds,sent,received,bytesReceived,errors,ratePerSecond,responseMinUs,responseMeanUs,' +
  'responseP50Us,responseP90Us,responseP99Us,responseP999Us,responseMaxUs'

const none = { p99999: null, p9999: null, p999: null, p99: null, p90: null, p50: null }
const interval: Interval = {
  second: 1.0003,
  seconds: 0.5,
  sent: 11,
  received: 10,
  bytesReceived: 640,
  errors: 1,
  ratePerSecond: 20,
  responseUs: { count: 0, min: null, mean: null, max: null, ...none },
}

for (const [name, intervals, rows] of [
  ['a header alone without a second', [], []],
  ['empty cells without a sample', [interval], ['1.0003,0.5,11,10,640,1,20,,,,,,,']],
  [
    'a row for each interval, in its order',
    [
      {
        ...interval,
        responseUs: { ...interval.responseUs, count: 2, min: 20.5, p50: 30, max: 40 },
      },
      { ...interval, second: 2, errors: 0 },
    ],
    ['1.0003,0.5,11,10,640,1,20,20.5,,30,,,,40', '2,0.5,11,10,640,0,20,,,,,,,'],
  ],
] as [string, Interval[], string[]][]) {
  test(name, () => {
    const csv = loadCsv(sampleResult({ change: { intervals } }))
    assert.equal(csv, [header, ...rows].map(line => `${line}\n`).join(''))
  })
}

test('every value stands below its own title', () => {
  // So many that the highest percentile is known.
  const result = sampleResult({ samplesUs: { response: roundTripsUs(10_000) } })
  const { intervals } = result
  const [titles, first] = loadCsv(result)
    .split('\n')
    .map(line => line.split(',')) as [string[], string[]]
  const { p50, p90, p99, p999, max, min, mean } = intervals[0]!.responseUs
  const row = Object.fromEntries(titles.map((title, n) => [title, Number(first[n])]))
  const times = { P50: p50, P90: p90, P99: p99, P999: p999, Max: max, Min: min, Mean: mean }
  for (const [name, us] of Object.entries(times)) assert.equal(row[`response${name}Us`], us, name)
})

test('with stages a row says in which one it lies', () => {
  const { intervals } = sampleResult()
  const three = [0, 1.001, 2.002].map(second => ({ ...intervals[0]!, second, seconds: 1.001 }))
  const { responseUs } = sampleResult()
  const stage = { stage: '1k/s for 1s', planned: 1, sent: 1, received: 1, errors: 0 }
  const figures = { ...stage, seconds: 1, ratePerSecond: 1, responseUs, missed: [] }
  // The third one begins within the slack of a timer, and is already that of the last second.
  const stages = [0, 1.5, 2].map(second => ({ ...figures, second }))
  const csv = loadCsv(sampleResult({ change: { intervals: three, stages } }))
  const lines = csv.trimEnd().split('\n')
  assert.deepEqual(
    lines.map(line => line.split(',').at(-1)),
    ['stage', '1', '2', '3'],
  )
})
