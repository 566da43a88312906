/** The live view of a load: what its lines say, and that they fit. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { counter, failureNames, Meter } from '../metrics/meter.ts'
import { takeSnapshot } from '../metrics/snapshot.ts'
import { chartColumnMs, linesMax, loadLines, LoadWatch } from './live.ts'
import type { LoadAbout, LoadView } from './live.ts'

const about = (change: Partial<LoadAbout> = {}): LoadAbout => ({
  address: 'tcp://127.0.0.1:4711',
  connections: 50,
  warmupMs: 1_000,
  durationMs: 10_000,
  count: Infinity,
  ...change,
})
const noErrors = Object.fromEntries(failureNames.map(name => [name, 0])) as LoadView['errors']
const view = (change: Partial<LoadView> = {}): LoadView => ({
  about: about(),
  phase: 'sending',
  elapsedMs: 6_000,
  received: 450_000,
  awaited: 50,
  open: 50,
  ratePerSecond: 91_234,
  bytesPerSecond: 5.84e6,
  churnPerSecond: null,
  p50Ns: 512_000,
  p99Ns: 1_234_000,
  errors: noErrors,
  corruptedBytes: 0,
  deferred: 0,
  reconnects: 0,
  out: 0,
  rates: [0, 1_000, 12_000, 50_000, 98_000, 90_000],
  ...change,
})
const wrongAll = Object.fromEntries(failureNames.map(name => [name, 12_345])) as typeof noErrors
const endless = { warmupMs: 0, durationMs: Infinity }

const views: [name: string, shown: LoadView, head: RegExp][] = [
  ['in the middle', view(), /^[█#]+[░.]+ +50% {2} 5.0s left$/],
  ['at its start', view({ elapsedMs: 1_000, rates: [] }), /^[░.]+ +0% {2}10.0s left$/],
  ['warming up', view({ elapsedMs: 250, p50Ns: NaN }), /^warm-up [█#]+[░.]+ +25% {2}0.7s left$/],
  [
    'of hours',
    view({ about: about({ durationMs: 2 * 3600e3 }), elapsedMs: 3_500e3 }),
    /^[█#]+[░.]+ +48% {2}1h 01m left$/,
  ],
  [
    'with a count',
    view({ about: about({ count: 1_000_000 }), elapsedMs: 2_000 }),
    /^[█#]+[░.]+ +45% {2} {2}450,000 of 1,000,000$/,
  ],
  [
    'with a count that takes longer than the duration',
    view({ about: about({ count: 1_000_000_000 }) }),
    /50% {2} 5.0s left$/,
  ],
  [
    'without an end',
    view({ about: about(endless), elapsedMs: 65_000 }),
    /^ 1m 05s {3}[▁.][▁.][▅=][█#][█#] +max 98,000\/s in 3.0s$/,
  ],
  ['before its first column', view({ about: about(endless), rates: [] }), /^ {3}6.0s$/],
  ['ending', view({ phase: 'ending', awaited: 1 }), /^waiting for 1 answer$/],
  ['ended', view({ phase: 'ending', awaited: 0 }), /^closing$/],
  ['connecting', view({ phase: 'connecting' }), /^connecting to tcp:\/\/127.0.0.1:4711 \(50/],
  ['waiting', view({ phase: 'waiting', elapsedMs: -3_200 }), /^50 connections open; it begins in/],
  ['long', view({ rates: Array.from({ length: 500 }, (_, n) => n) }), /50%/],
  [
    'with all that can go wrong',
    view({
      errors: wrongAll,
      deferred: 1e9,
      open: 1,
      reconnects: 1e6,
      out: 49,
      ratePerSecond: 1e8,
      churnPerSecond: 1e6,
    }),
    /50%/,
  ],
]

for (const columns of [80, 40]) {
  for (const unicode of [true, false]) {
    for (const [name, shown, head] of views) {
      const where = `${columns} columns, ${unicode ? 'Unicode' : 'ASCII'}`
      test(`a run ${name} in ${where}`, () => {
        const lines = loadLines(shown, { columns, unicode })
        assert.match(lines[0]!, head)
        assert.ok(lines.length <= linesMax, lines.join('\n'))
        // The last column stays free: some terminals go to the next line after it.
        for (const line of lines) assert.ok(line.length < columns, line)
        if (!unicode) assert.match(lines.join(''), /^[ -~]*$/)
      })
    }
  }
}

test('no terminal is too narrow', () => {
  for (let columns = 1; columns < 40; columns++)
    for (const [, shown] of views)
      for (const line of loadLines(shown, { columns, unicode: true }))
        assert.ok(line.length <= Math.max(1, columns - 1), `${columns}: ${line}`)
})

const text = (shown: LoadView, columns = 80) =>
  loadLines(shown, { columns, unicode: true }).join('\n')

test('the figures of a good second', () => {
  const figures = '   91,234 messages/s  p50  512us  p99 1.23ms    5.84 MB/s  errors 0  wrong 0'
  assert.equal(text(view()).split('\n')[1], figures)
  const narrow = ['   91,234/s  p50  512us  p99 1.23ms', '  5.84 MB/s  errors 0  wrong 0']
  assert.deepEqual(text(view(), 40).split('\n').slice(1, 3), narrow)
})

test('what goes wrong is named, and only then', () => {
  assert.match(text(view({ reconnects: 12, out: 3 })), /reconnects 12, 3 out now/)
  assert.match(text(view({ reconnects: 12 })), /reconnects 12, 0 out now/)
  assert.doesNotMatch(text(view()), /reconnects/)
  assert.doesNotMatch(text(view()), /deferred|open|\(/)
  const errors = { ...noErrors, reset: 2, timedOut: 1, wrongBytes: 4 }
  assert.match(text(view({ corruptedBytes: 1_234 })), /wrong 0\n1,234 bytes corrupted/)
  const bad = text(view({ errors, deferred: 1_234, open: 43 }))
  assert.match(bad, /errors 3 \(reset 2, timedOut 1\) {2}wrong 4 {2}deferred 1,234/)
  assert.match(bad, /43 of 50 open/)
  assert.match(text(view({ errors, deferred: 1_234 }), 40), /errors 3 {2}wrong 4\ndeferred 1,234/)
})

test('short connections alone have the rate, the times and the chart', () => {
  const shown = view({ about: about({ connections: 0 }), open: 0, churnPerSecond: 499 })
  assert.match(text(shown), /\n +499 connections\/s {2}p50 {2}512us {2}p99 1.23ms {2}errors 0/)
  assert.doesNotMatch(text(shown), /messages|B\/s/)
})

test('figures are those of the last second, the warm-up counts too', () => {
  const meter = new Meter()
  const watch = new LoadWatch(about())
  const { counters } = meter
  const at = (ms: number) => watch.take({ ...takeSnapshot([meter]), atMs: ms }, 'sending', ms)
  counters[counter.opened]! += 50
  counters[counter.warmupSent]! += 8
  assert.deepEqual(at(0).rates, [])
  counters[counter.warmupReceived]! += 500
  meter.histograms.response.record(9e6)
  assert.equal(at(500).ratePerSecond, 1000)
  counters[counter.messagesReceived]! += 100
  counters[counter.bytesIn]! += 6_400
  const quiet = at(1_500)
  assert.equal(quiet.ratePerSecond, 100)
  assert.equal(quiet.bytesPerSecond, 6_400)
  // The sample is older than a second by now.
  assert.ok(Number.isNaN(quiet.p50Ns))
  for (let n = 0; n < 999; n++) meter.histograms.response.record(1e6)
  // One fewer than a p99 takes.
  const few = at(2_400)
  assert.ok(few.p50Ns > 0 && Number.isNaN(few.p99Ns))
  meter.histograms.response.record(1e6)
  counters[counter.messagesPlanned]! += 130
  const last = at(2_500)
  assert.ok(Math.abs(last.p99Ns / 1e6 - 1) < 0.001)
  assert.equal(last.ratePerSecond, 0)
  assert.equal(last.received, 600)
  assert.equal(last.awaited, 30)
  assert.equal(last.open, 50)
  assert.equal(chartColumnMs, 500)
  assert.deepEqual(last.rates, [1000, 100, 0])
})
