import assert from 'node:assert/strict'
import { test } from 'node:test'
import { build } from 'hdr-histogram-js'
import { loadHgrm } from './hgrm.ts'
import { supported } from './rank.ts'
import type { RunResult } from './result.ts'
import { sampleResult } from './sample.suite.ts'

/** Values in hundredths of a microsecond, which HdrHistogram with five digits keeps exactly. */
function resultOf(values: number[]): RunResult {
  const counts = new Map<number, number>()
  for (const value of values.toSorted((a, b) => a - b))
    counts.set(value, (counts.get(value) ?? 0) + 1)
  const result = sampleResult()
  const responseUs = [...counts].map(([value, count]): [number, number] => [value / 100, count])
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length / 100
  return {
    ...result,
    responseUs: { ...result.responseUs, mean, max: Math.max(...values) / 100 },
    histograms: { ...result.histograms, responseUs },
  }
}

const series = (count: number, of: (n: number) => number) =>
  Array.from({ length: count }, (_, n) => of(n))

for (const [name, values] of [
  ['one sample', [4711]],
  ['all the same', series(5000, () => 2000)],
  ['each different', series(3001, n => 1000 + n * 7)],
  ['a long tail', series(20_000, n => 2000 + (n % 89) + (n % 1000 === 999 ? n * 6 : 0))],
] as const) {
  test(`as HdrHistogram prints it: ${name}`, () => {
    const oracle = build({
      bitBucketSize: 64,
      lowestDiscernibleValue: 1,
      highestTrackableValue: 2 ** 40,
      numberOfSignificantValueDigits: 5,
    })
    for (const value of values) oracle.recordValue(value)
    // How its buckets are laid out is said in the last line, and ours are others. It rounds the
    // last of twelve decimals of a percentile in its own way.
    const lines = (text: string) =>
      text
        .trimEnd()
        .replaceAll(/( \d\.\d{11})\d /g, '$1x ')
        .split('\n')
        .slice(0, -1)
    const isKnown = (line: string) => {
      const share = Number(/^ +[\d.]+ (\d\.\d+) /.exec(line)?.[1] ?? 1)
      return share === 0 || share === 1 || supported(share, values.length)
    }
    const ours = loadHgrm(resultOf([...values]))
    const known = oracle.outputPercentileDistribution(5, 1e5).split('\n').filter(isKnown)
    assert.deepEqual(lines(ours), lines(known.join('\n')))
    assert.match(ours, /\n#\[Buckets = {11}36, SubBuckets {5}= {9}1024\]\n$/)
  })
}

test('without a sample there is a header and a tail of zeros', () => {
  const lines = loadHgrm(sampleResult({ samplesUs: { response: [] } })).split('\n')
  assert.deepEqual(lines.slice(0, 4), [
    '       Value     Percentile TotalCount 1/(1-Percentile)',
    '',
    '#[Mean    =      0.00000, StdDeviation   =      0.00000]',
    '#[Max     =      0.00000, Total count    =            0]',
  ])
})
