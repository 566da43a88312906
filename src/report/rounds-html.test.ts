/** The page of rounds: it says what the text says, and no file can put anything else into it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerText } from './compare-rounds-text.ts'
import { compareRounds } from './compare-rounds.ts'
import { roundsHtml } from './rounds-html.ts'
import { sampleRounds } from './rounds.suite.ts'

test('it has the answers, a chart of each figure and a row for each round', () => {
  const rounds = sampleRounds({ slower: 0.1 })
  const text = roundsHtml(rounds)
  for (const figure of compareRounds(rounds).figures) {
    assert.ok(text.includes(answerText(figure)), figure.metric)
    assert.equal(text.match(new RegExp(`id="chart-${figure.metric}"`, 'g'))?.length, 1)
  }
  // A point for each round, drawn wide and narrow, in three charts.
  assert.equal(text.match(/<circle /g)?.length, 10 * 2 * 3)
  assert.doesNotMatch(text, /NaN|undefined|Infinity|<script/)
})

test('what is no comparison is marked, and has no claim', () => {
  const text = roundsHtml(sampleRounds({ count: 4, slower: 0.5, change: { roundsWanted: 9 } }))
  assert.match(text, /class="verdict invalid"[^]*INCOMPLETE: no claim/)
  assert.doesNotMatch(text, /worse|better/)
  const spoiled = sampleRounds({ spoil: () => ({ valid: false, invalidBecause: ['Too slow.'] }) })
  assert.match(roundsHtml(spoiled), /INVALID: no claim[^]*Too slow\./)
})

test('what a file contains is text', () => {
  const address = '<script>alert(1)</script>'
  const text = roundsHtml(sampleRounds({ change: { baseline: { address, serve: address } } }))
  assert.doesNotMatch(text, /<script/)
  assert.match(text, /&lt;script&gt;/)
})
