import assert from 'node:assert/strict'
import { test } from 'node:test'
import { delayedStep } from './steps.ts'

const spread = (fromMs: number, toMs: number, count: number): [number, number][] =>
  Array.from({ length: 50 }, (_, at) => [(fromMs + ((toMs - fromMs) * at) / 50) * 1e3, count / 50])

test('a step at 40 ms or 200 ms is found, with quick answers beside it or without', () => {
  const quick = spread(0.05, 2, 500)
  for (const [ms, all] of [
    [40, [...quick, ...spread(40, 44, 100)]],
    [40, spread(39.9, 42, 1000)],
    [200, [...quick, ...spread(199.8, 210, 200)]],
  ] as const)
    assert.equal(delayedStep(all)?.ms, ms)
  assert.equal(delayedStep([[41e3, 10]])?.ms, 40)
  assert.equal(delayedStep([...quick, ...spread(40, 44, 500)])?.share, 0.5)
})

test('what is no step is none', () => {
  const others = {
    none: [],
    one: [[41e3, 1]] as [number, number][],
    nine: [[41e3, 9]] as [number, number][],
    quick: spread(0.05, 5, 1000),
    'a broad hump': spread(20, 60, 1000),
    'a long tail': [...spread(0.1, 10, 900), ...spread(10, 80, 100)],
    'a few': [...spread(0.1, 2, 950), ...spread(40, 42, 50)],
    'another delay': [...spread(0.1, 2, 500), ...spread(55, 60, 500)],
  }
  for (const [name, buckets] of Object.entries(others))
    assert.equal(delayedStep(buckets), undefined, name)
})
