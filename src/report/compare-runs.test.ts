import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UserError } from '../vocabulary/errors.ts'
import { Histogram } from '../metrics/histogram.ts'
import { failureNames } from '../metrics/meter.ts'
import { compareRuns, type RunComparison } from './compare-runs.ts'
import { compareText } from './compare-text.ts'
import { formatChange, parseCondition, refuseChanges } from './fail-if.ts'
import { readResult } from './read.ts'
import { resultFormat, type Distribution, type RunResult } from './result.ts'
import { distribution } from './summarize.ts'

const none = distribution(new Histogram())

/** A distribution whose percentiles are multiples of its median. */
const around = (p50: number): Distribution => ({
  count: 1000,
  min: p50 / 2,
  mean: p50 * 1.1,
  p50,
  p90: p50 * 2,
  p99: p50 * 5,
  p999: p50 * 8,
  p9999: p50 * 9,
  p99999: p50 * 9,
  max: p50 * 10,
})

interface Wanted {
  seconds?: number
  rate?: number
  p50?: number
  options?: Record<string, unknown>
  changes?: Partial<RunResult>
}

/** A run whose seconds vary by 1 % around the same figures. */
function runOf({ seconds = 10, rate = 1000, p50 = 100, options, changes }: Wanted = {}): RunResult {
  const intervals = Array.from({ length: seconds }, (_, second) => {
    const factor = 1 + ((second % 5) - 2) / 200
    const count = Math.round(rate * factor)
    return {
      second,
      seconds: 1,
      sent: count,
      received: count,
      bytesReceived: count * 64,
      errors: 0,
      ratePerSecond: count,
      responseUs: around(p50 * factor),
    }
  })
  const planned = rate * seconds
  return {
    format: resultFormat,
    valid: true,
    invalidBecause: [],
    verdict: 'pass',
    failedBecause: [],
    notes: [],
    seconds,
    rates: { plannedPerSecond: rate, sentPerSecond: rate, achievedPerSecond: rate },
    messages: {
      planned,
      sent: planned,
      received: planned,
      lost: 0,
      unfinished: 0,
      wrong: 0,
      deferred: 0,
    },
    bytes: { sent: planned * 64, received: planned * 64 },
    responseUs: around(p50),
    serviceUs: around(p50),
    latenessUs: none,
    connectUs: none,
    churn: null,
    errors: Object.fromEntries(failureNames.map(name => [name, 0])) as RunResult['errors'],
    corruption: null,
    firstWrong: null,
    expectations: [],
    intervals,
    histograms: { responseUs: [[p50, planned]], serviceUs: [], latenessUs: [], connectUs: [] },
    resolution: { relativeError: 0.0005, lowestUs: 0.064, highestUs: 4e9 },
    generator: { cpuShare: 0.1 },
    run: {
      command: 'bench',
      address: 'tcp://127.0.0.1:7007',
      engine: 'node',
      threads: 1,
      seed: 1,
      options: {
        connections: 8,
        depth: 1,
        durationMs: 10_000,
        sizes: [{ minBytes: 64, maxBytes: 64, weight: 1 }],
        ...options,
      },
      reproduce: 'yodel bench :7007',
      startedAt: '2026-01-02T03:04:05.678Z',
      versions: { yodel: '0.1.0', node: '20.19.0' },
      machine: { system: 'Linux', cpu: 'AMD', cores: 2, memoryBytes: 4e9 },
    },
    ...changes,
  }
}

const compared = (before: RunResult, after: RunResult, ...failIf: string[]): RunComparison =>
  compareRuns([before, after], ['a.json', 'b.json'], failIf.map(parseCondition))

const changeOf = (comparison: RunComparison, metric: string) =>
  comparison.others[0]!.changes.find(change => change.metric === metric)!

test('single runs show the difference, and make no claim', () => {
  for (const after of [runOf(), runOf({ rate: 1200, p50: 150 })]) {
    const comparison = compared(runOf(), after)
    assert.deepEqual([comparison.outcome, comparison.verdict], ['compared', 'pass'])
    const text = compareText(comparison, { columns: 400, unicode: true })
    assert.doesNotMatch(text, /better|worse|no difference|interval/)
    assert.match(text, /No claim: .*yodel bench ADDRESS --against ADDRESS/)
  }
  const comparison = compared(runOf(), runOf({ rate: 1200, p50: 150 }))
  assert.ok(Math.abs(changeOf(comparison, 'rate').change! - 0.2) < 1e-9)
  for (const metric of ['mean', 'p50', 'p90', 'p99', 'p99.9', 'max'])
    assert.ok(Math.abs(changeOf(comparison, metric).change! - 0.5) < 1e-9, metric)
  assert.equal(changeOf(comparison, 'lost').change, null)
})

test('what else differs is listed, and what may differ is not', () => {
  const machine = { ...runOf().run.machine, cores: 4 }
  const other = runOf({ options: { connections: 9, ratePerSecond: 5000, sizes: 1 } })
  other.run = { ...other.run, machine, engine: 'uring', seed: 9, address: 'unix:/x' }
  other.run.versions = { yodel: '0.2.0', node: '20.19.0' }
  const { warnings, outcome } = compared(runOf(), other)
  assert.equal(outcome, 'unlike')
  assert.equal(warnings.length, 1)
  const listed = ['cores \\(2, then 4\\)', 'engine \\(node, then uring\\)', 'size', 'connections']
  listed.push('rate \\(closed loop, then 5,000/s\\)', 'version of yodel \\(0.1.0, then 0.2.0\\)')
  for (const what of listed) assert.match(warnings[0]!, new RegExp(what))
  assert.doesNotMatch(warnings[0]!, /seed|node \(20|unix|depth|duration/)
})

test('runs that are not valid or failed are warned of, the baseline too', () => {
  const invalid = { valid: false, invalidBecause: ['The generator was the limit.'] }
  const because = ['3 messages did not come back.']
  const failed = { verdict: 'fail' as const, failedBecause: because }
  const both = [runOf({ changes: invalid }), runOf({ changes: failed })] as const
  const { warnings, outcome } = compared(...both)
  assert.equal(outcome, 'invalid')
  assert.deepEqual(warnings, [
    'a.json is not valid: The generator was the limit.',
    'b.json failed: 3 messages did not come back.',
  ])
})

test('a run that failed is no pass, on whichever side, whatever else there is to say', () => {
  const lost = { verdict: 'fail' as const, failedBecause: ['3 messages did not come back.'] }
  const wrong = { ...lost, errors: { ...runOf().errors, wrongBytes: 1 } }
  const notValid = { valid: false, invalidBecause: ['The generator was the limit.'] }
  const [good, bad] = [runOf(), runOf({ changes: lost })]
  for (const comparison of [compared(good, bad), compared(bad, good)]) {
    assert.deepEqual([comparison.outcome, comparison.verdict], ['failed', 'fail'])
    const text = compareText(comparison, { columns: 120, unicode: true })
    assert.match(text, /^FAIL: [ab]\.json failed: 3 messages did not come back\.\n[^]*\nFAIL: /)
    assert.match(text, /WARNING: [ab]\.json failed/)
  }
  const other = runOf({ options: { connections: 9 } })
  assert.equal(compared(other, bad).outcome, 'unlike')
  for (const worst of [runOf({ changes: { ...wrong, ...notValid } }), runOf({ changes: wrong })])
    for (const beside of [good, other, runOf({ changes: notValid })])
      assert.match(compared(beside, worst).warnings[0]!, /^b\.json failed: /)
})

test('--fail-if: values hold for single runs; a change needs rounds', () => {
  const lost = { ...runOf().messages, lost: 5 }
  const slower = runOf({ rate: 900, p50: 120, changes: { messages: lost } })
  const rows: [condition: string, holds: boolean][] = [
    ['p99>550us', true],
    ['p99>650us', false],
    ['loss>0.01%', true],
    ['errors>0', false],
    // A figure that is missing cannot be said to be right.
    ['connect.p99>5ms', true],
  ]
  for (const [condition, holds] of rows) {
    const { verdict, failures } = compared(runOf(), slower, condition)
    assert.equal(verdict, holds ? 'fail' : 'pass', condition)
    const found = failures.map(({ condition, name }) => [condition, name])
    assert.deepEqual(found, holds ? [[condition, 'b.json']] : [], condition)
  }
  const conditions = ['errors>0', 'p99>+20%'].map(parseCondition)
  assert.throws(() => refuseChanges(conditions), /'p99>\+20%' needs a claim/)
  refuseChanges(conditions.slice(0, 1))
})

test('--fail-if: what makes no sense is refused', () => {
  const bad = ['', 'p99', 'p99>10%', 'rate<5%', 'p99>+10', 'foo>+10%', 'foo>10%', 'p99>+-10%']
  bad.push('lost>+10%', 'loss>+10%')
  for (const text of bad) assert.throws(() => parseCondition(text), UserError, text)
})

test('the text is no wider than the terminal, and says what failed', () => {
  const results = [runOf(), runOf({ rate: 1100, p50: 99_000 }), runOf({ seconds: 3, rate: 9e7 })]
  const conditions = ['p99>1ms', 'rate>1k/s'].map(parseCondition)
  const comparison = compareRuns(results, ['a.json', 'b.json', 'c.json'], conditions)
  for (const columns of [40, 80]) {
    const text = compareText(comparison, { columns, unicode: false })
    for (const line of text.split('\n')) assert.ok(line.length <= columns, line)
    assert.match(text, /FAILED/)
    const list = text.slice(text.indexOf('FAILED: --fail-if'), text.lastIndexOf('\n\n'))
    assert.equal(list.match(/p99>1ms/g)!.length, 1)
    assert.match(text, /^FAIL: p99>1ms: [^]*\nFAIL: /)
  }
})

test('what a file contains cannot reach the terminal as control characters', () => {
  const hostile = { valid: false, invalidBecause: ['\u001b[2J'] }
  const text = compareText(compared(runOf(), runOf({ changes: hostile })), {
    columns: 80,
    unicode: true,
  })
  assert.ok(!text.includes('\u001b'))
})

test('changes are written with their sign', () => {
  const rows = { '0.157': '+15.7%', '-0.0521': '-5.2%', '0.0001': '0.0%', '-0.0001': '0.0%' }
  for (const [change, text] of Object.entries(rows)) assert.equal(formatChange(+change), text)
  assert.deepEqual([6.5, 11.2].map(formatChange), ['+650%', '12x'])
})

test('a result is read as it was written, and anything else is refused in a line', () => {
  const result = runOf()
  assert.deepEqual(readResult(JSON.stringify(result), 'a.json'), result)
  const change = (with_: object) => JSON.stringify({ ...result, ...with_ })
  const rows: [text: string, message: RegExp][] = [
    ['', /x\.json is empty/],
    ['{"format":', /x\.json is not JSON/],
    ['[]', /x\.json is not a result/],
    ['null', /not a result/],
    ['{"format":3}', /not a result/],
    ['{"format":"other"}', /not a result/],
    [change({ format: 'yodel-result-3' }), /format yodel-result-3; this reads yodel-result-2/],
    [change({ format: 'yodel-result-1' }), /yodel-result-1; .*result-2, in which rates are those/],
    ['{"format":"yodel-find-max-1"}', /format yodel-find-max-1/],
    [`{"format":"${resultFormat}"}`, /damaged/],
    [change({ intervals: [{}] }), /damaged: its 'intervals'/],
    [change({ responseUs: { ...result.responseUs, p99: '5' } }), /'responseUs'/],
    [change({ histograms: { responseUs: [[1]] } }), /'histograms'/],
    [change({ run: { ...result.run, machine: null } }), /'run'/],
    [change({ run: { ...result.run, options: { sizes: [null] } } }), /'run'/],
    [change({ stages: [{ stage: '5/s for 1s' }] }), /'stages'/],
    [change({ outages: { reconnects: 0, lost: 0, rows: [{}] } }), /'outages'/],
    [change({ firstWrong: { offset: 0 } }), /'firstWrong'/],
    [change({ generator: { own: [null] } }), /'generator'/],
    [change({ generator: { cpuShare: 'x' } }), /'generator'/],
    [change({ generator: { cpuShare: 0, stalls: { count: 1 } } }), /'generator'/],
    // Whatever is not a pass must not be read as one.
    [change({ verdict: 'FAIL' }), /'verdict'/],
    [change({ run: { ...result.run, options: { idle: 'x' } } }), /'run'/],
    [change({ run: { ...result.run, versions: { yodel: {} } } }), /'run'/],
    [change({ seconds: 'much' }).replace('"much"', '1e999'), /'seconds'/],
  ]
  for (const [text, message] of rows) {
    const refused = (error: unknown) =>
      error instanceof UserError && message.test(error.message) && !error.message.includes('\n')
    assert.throws(() => readResult(text, 'x.json'), refused, text.slice(0, 60))
  }
})
