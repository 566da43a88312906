/** A percentile that too few samples support is left out of every format, and misses objectives. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { short } from '../full.suite.ts'
import { compareRuns } from './compare-runs.ts'
import { loadCsv } from './csv.ts'
import { parseCondition } from './fail-if.ts'
import { loadHgrm } from './hgrm.ts'
import { loadHtml } from './html.ts'
import { loadText } from './load-text.ts'
import { meets, parseObjective } from './objective.ts'
import { fewestSamples, ranked, supported } from './rank.ts'
import { sampleResult } from './sample.suite.ts'

const resultOf = (count: number) =>
  sampleResult({ samplesUs: { response: Array.from({ length: count }, (_, n) => 1000 + n) } })

const keys = [
  ['p50', 0.5],
  ['p90', 0.9],
  ['p99', 0.99],
  ['p999', 0.999],
  ['p9999', 0.9999],
  ['p99999', 0.99999],
] as const

test('ten samples lie beyond what is supported, on its side of the median', () => {
  for (const [quantile, fewest] of [
    [0.9, 100],
    [0.99, 1_000],
    [0.999, 10_000],
    [0.9999, 100_000],
    [0.99999, 1_000_000],
    [0.5, 1],
    [0.51, 21],
    [0.01, 1_001],
    [1, Infinity],
  ] as const) {
    assert.equal(fewestSamples(quantile), fewest, `${quantile}`)
    if (fewest === Infinity) continue
    assert.ok(supported(quantile, fewest), `${quantile}`)
    assert.ok(!supported(quantile, fewest - 1), `${quantile}`)
  }
  assert.equal(ranked([], 0.5), null)
})

const counts = [1, 5, 99, 100, 999, 1_000, 9_999, 10_000]
for (const count of short(counts, [1, 99, 100, 1_000])) {
  test(`of ${count} samples every format tells the same percentiles`, () => {
    const result = resultOf(count)
    const told = keys.filter(([, quantile]) => supported(quantile, count)).map(([key]) => key)
    const { responseUs } = result
    assert.deepEqual(
      keys.filter(([key]) => responseUs[key] !== null).map(([key]) => key),
      told,
    )
    assert.ok(responseUs.min !== null && responseUs.mean !== null && responseUs.max !== null)
    const name = (key: string) => key.replace(/^(p99)(9+)$/, '$1.$2')
    const text = loadText(result, { columns: 120, unicode: false })
    const [, , heads] = text.split('\n\n').map(block => block.split('\n')[0]!.trim().split(/ +/))
    const shown = told.map(name).filter(each => each !== 'p99.999')
    assert.deepEqual(heads, [...shown, 'max'])
    const html = loadHtml(result)
    for (const [key] of keys) {
      const row = new RegExp(`>${name(key)}</th>\\s*<td>([^<]*)<`).exec(html)
      assert.equal(row?.[1] !== '–', (told as string[]).includes(key), `${key}: ${row?.[1]}`)
    }
    const percents = [...loadHgrm(result).matchAll(/^ +[\d.]+ (\d\.\d+) /gm)].map(([, share]) =>
      Number(share),
    )
    assert.deepEqual(
      percents.filter(share => share > 0 && share < 1 && !supported(share, count)),
      [],
    )
    assert.deepEqual([percents[0], percents.at(-1)], [0, 1])
    const csv = loadCsv(result).split('\n')
    const titles = csv[0]!.split(',')
    const cell = (title: string) => csv[1]!.split(',')[titles.indexOf(title)]
    for (const key of ['p50', 'p90', 'p99', 'p999'] as const)
      assert.equal(cell(`response${key.toUpperCase()}Us`) !== '', told.includes(key as never), key)
  })
}

test('an objective without enough samples is not known, and missed', () => {
  const rows: [objective: string, count: number, measuredText: string][] = [
    ['p99.99<1h', 5, 'not known: 5 of the 100,000 samples that it takes'],
    ['p99.95<1h', 5, 'not known: 5 of the 20,000 samples that it takes'],
    ['p99>0', 999, 'not known: 999 of the 1,000 samples that it takes'],
    ['p1<1h', 999, 'not known: 999 of the 1,001 samples that it takes'],
    ['service.p90<1h', 0, 'no sample'],
  ]
  for (const [text, count, measuredText] of rows) {
    const { measured, held, ...told } = meets(parseObjective(text), resultOf(count))
    assert.deepEqual([measured, held, told.measuredText], [null, false, measuredText], text)
  }
  for (const text of ['p50<1h', 'max<1h', 'p100<1h', 'min>0'])
    assert.equal(meets(parseObjective(text), resultOf(1)).held, true, text)
})

test('a comparison does not compare what is not known, and its conditions fail', () => {
  const conditions = ['p99>1h', 'p99<1h'].map(parseCondition)
  const results = [resultOf(2_000), resultOf(500)]
  const { others, failures } = compareRuns(results, ['a', 'b'], conditions)
  const p99 = others[0]!.changes.find(({ metric }) => metric === 'p99')!
  assert.deepEqual([p99.value, p99.change], [null, null])
  assert.ok(p99.baseline !== null)
  const why = 'not known: 500 of the 1,000 samples that it takes'
  assert.deepEqual(
    failures.map(({ measured }) => measured),
    [why, why],
  )
})
