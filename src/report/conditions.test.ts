/** What makes two runs unlike: each option that is a condition, and nothing else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { differences } from './conditions.ts'
import { sampleResult } from './sample.suite.ts'

const runWith = (change: Record<string, unknown>) => {
  const { run } = sampleResult()
  const options = Object.entries({ ...run.options, ...change })
  return {
    ...run,
    options: Object.fromEntries(options.filter(([, value]) => value !== undefined)),
  }
}

test('a result that is older than an option was measured as its default has it', () => {
  const older = runWith({ arrivals: undefined, warmupMs: undefined })
  assert.deepEqual(differences(older, runWith({ arrivals: 'even', warmupMs: 1_000 })), [])
  assert.deepEqual(differences(older, runWith({ arrivals: 'poisson', warmupMs: 1_000 })), [
    { what: 'arrivals', baseline: 'even', value: 'poisson' },
  ])
})
