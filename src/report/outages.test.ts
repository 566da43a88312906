/** Outages in the result: as figures, as text, as a page, and as an objective. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Outage } from '../load/outages.ts'
import { loadHtml } from './html.ts'
import { loadText } from './load-text.ts'
import { Meter } from '../metrics/meter.ts'
import { takeSnapshot } from '../metrics/snapshot.ts'
import { meets, parseObjective } from './objective.ts'
import { outageFigures } from './outages.ts'
import { effort, sampleResult } from './sample.suite.ts'
import { stageFigures } from './stage-figures.ts'

const outage = (beginMs: number, endMs: number, change: Partial<Outage> = {}): Outage => ({
  beginNs: beginMs * 1e6,
  openNs: (endMs - 1) * 1e6,
  endNs: endMs * 1e6,
  connections: 1,
  breaks: { closedEarly: 1 },
  failedDials: { refused: 2 },
  lost: 100,
  firstEchoNs: 1e6,
  ...change,
})
const resultOf = (outages: readonly Outage[]) =>
  sampleResult({ change: { outages: outageFigures(outages, 7) } })
const text = (outages: readonly Outage[], columns = 100) =>
  loadText(resultOf(outages), { columns, unicode: true })

test('overlapping outages are a row, and an endless one has no end', () => {
  const all = [outage(100, 300), outage(-50, 200), outage(5_000, Infinity, { firstEchoNs: 0 })]
  const { reconnects, lost, rows } = outageFigures(all, 7)
  assert.deepEqual([reconnects, lost, rows.length], [7, 300, 2])
  assert.deepEqual(rows[0], {
    beginSeconds: -0.05,
    openSeconds: 0.299,
    endSeconds: 0.3,
    connections: 2,
    lost: 200,
    breaks: { closedEarly: 2 },
    failedDials: { refused: 4 },
    firstEchoUs: 1_000,
  })
  const { openSeconds, endSeconds, firstEchoUs } = rows[1]!
  assert.deepEqual([openSeconds, endSeconds, firstEchoUs], [null, null, null])
  // A server that is never there for long fills no page.
  const many = Array.from({ length: 5_000 }, (_, n) => outage(n * 10, n * 10 + 5))
  assert.deepEqual([outageFigures(many, 0).rows.length, outageFigures(many, 0).lost], [100, 5e5])
})

test('the report has a line and a table of them, on any terminal', () => {
  const shown = text([outage(100, 350), outage(2_000, Infinity)])
  assert.match(shown, /^ {2}outages {5}2 breaks, 4 dials failed, 7 reconnects, 200 messages lost$/m)
  assert.match(shown, /^ {2}outage 1 +0\.10s +0\.35s +250ms +1 +100 +1ms +closedEarly 1 +/m)
  assert.match(shown, /^ {2}outage 2 +2\.00s +- +to the end +1 +100 /m)
  assert.match(text([]), /^ {2}outages {5}none: no connection broke$/m)
  assert.doesNotMatch(loadText(sampleResult(), { columns: 100, unicode: true }), /outage/)
  const many = Array.from({ length: 30 }, (_, n) => outage(n * 10, n * 10 + 5))
  assert.match(text(many), /^ +10 outages more; the JSON has them$/m)
  for (let columns = 40; columns < 130; columns += 3)
    for (const line of text(many, columns).split('\n'))
      assert.ok(line.length <= columns, `${columns}: ${line}`)
})

test('the page has the table', () => {
  const page = loadHtml(resultOf([outage(100, 350), outage(2_000, Infinity)]))
  assert.match(page, /<h2 id="outages">Outages<\/h2>/)
  assert.match(page, /<td>0\.10s<\/td>|>0\.10s</)
  assert.match(page, /closedEarly 1/)
  assert.match(loadHtml(resultOf([])), /No connection broke/)
  assert.doesNotMatch(loadHtml(sampleResult()), /Outages/)
})

test('an objective holds the longest one against a limit', () => {
  const about = (outages?: readonly Outage[]) => {
    const result = outages ? resultOf(outages) : sampleResult()
    const { held, measuredText } = meets(parseObjective('outage<200ms'), result)
    return [held, measuredText]
  }
  assert.deepEqual(about([]), [true, '0s'])
  assert.deepEqual(about([outage(0, 100), outage(500, 650)]), [true, '150ms'])
  assert.deepEqual(about([outage(0, 100), outage(500, 750)]), [false, '250ms'])
  assert.deepEqual(about([outage(0, Infinity)]), [false, 'not known: an outage had not ended'])
  assert.deepEqual(about(), [false, 'no sample'])
})

test('of the stages of a load only the one misses it in which the outage began', () => {
  const passed = takeSnapshot([new Meter()])
  const stages = ['1/s for 1s', '2/s for 1s', '0 for 1s'].map((text, n) => {
    return { text, ms: 1e3, beganMs: n * 1e3, passed }
  })
  const findings = {
    total: passed,
    window: { seconds: 3, achieved: 0, sent: 0, counted: false },
    wrong: undefined,
    intervals: [],
    threads: [effort(0)],
    openLoop: true,
    limits: { rate: false },
    countingCorruption: false,
    conditions: sampleResult().run,
  }
  const missed = (outages?: Outage[]) =>
    stageFigures({ stages, threadResults: [] }, { ...findings, outages }, ['outage<200ms']).map(
      ({ missed }) => missed.map(({ measuredText }) => measuredText).join(),
    )
  assert.deepEqual(missed([outage(100, 200), outage(1_900, 2_150)]), ['', '250ms', ''])
  const endless = 'not known: an outage had not ended'
  assert.deepEqual(missed([outage(2_100, Infinity)]), ['', '', endless])
  // Without --reconnect no stage has an outage.
  assert.deepEqual(missed(), ['', '', ''])
})
