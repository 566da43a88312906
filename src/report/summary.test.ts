/** The first lines of a report, and the words of its verdict. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadText } from './load-text.ts'
import { reportSamples as samples, missed } from './load.suite.ts'
import { sampleResult } from './sample.suite.ts'

const at80 = { columns: 80, unicode: true }

test('the first ten lines are a summary, whatever is in it', () => {
  const many = Array.from({ length: 9 }, (_, n) => ({
    ...missed,
    objective: `p9${n}<1s`,
  }))
  const all = { ...samples, 'many objectives': { change: { expectations: many } } }
  for (const [name, sample] of Object.entries(all))
    for (const columns of [120, 80, 40]) {
      const text = loadText(sampleResult(sample), { columns, unicode: true })
      const [summary] = text.split('\n\n')
      assert.ok(summary!.split('\n').length <= 10, `${name}, ${columns}: ${summary}`)
      assert.match(summary!, /^(PASS|FAIL|INVALID)\b[^]*\nyodel /)
      assert.match(summary!, /\n {2}messages /)
    }
  const brief = loadText(sampleResult(all['many objectives']), at80)
  assert.match(brief, /\n {2}expected {4}0 of 9 held\n/)
  assert.match(brief, /\n {2}expected {4}MISSED {2}p90<1s/)
})

test('only the words of a verdict have a colour, and only if that is wanted', () => {
  const plain = loadText(sampleResult(samples['objectives']), at80)
  const text = loadText(sampleResult(samples['objectives']), { ...at80, colour: true })
  // oxlint-disable-next-line no-control-regex
  const marked = [...text.matchAll(/\u001b\[1;(\d+)m(\w+)\u001b\[0m/g)]
  assert.deepEqual(
    marked.map(([, colour, word]) => [colour, word]),
    [
      ['31', 'FAIL'],
      ['31', 'MISSED'],
      ['31', 'FAIL'],
    ],
  )
  // oxlint-disable-next-line no-control-regex
  assert.equal(text.replaceAll(/\u001b\[[\d;]*m/g, ''), plain)
})
