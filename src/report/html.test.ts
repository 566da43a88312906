/** The page of a load: whole, harmless, and sensible for odd results too. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Histogram } from '../metrics/histogram.ts'
import { counter, Meter } from '../metrics/meter.ts'
import { takeSnapshot } from '../metrics/snapshot.ts'
import { loadHtml } from './html.ts'
import type { Interval, RunResult } from './result.ts'
import { effort } from './sample.suite.ts'
import { distribution, summarize } from './summarize.ts'

const conditions: RunResult['run'] = {
  command: 'bench',
  address: 'tcp://127.0.0.1:4711',
  engine: 'node',
  threads: 1,
  seed: 1,
  options: { connections: 2, ratePerSecond: 1000, durationMs: 3000, count: Infinity },
  reproduce: 'yodel bench tcp://127.0.0.1:4711 --rate 1000/s',
  startedAt: '2026-01-02T03:04:05.678Z',
  versions: { yodel: '0.0.0' },
  machine: { system: 'Linux', cpu: 'a processor', cores: 2, memoryBytes: 8e9 },
}

function interval(second: number, sampleNs: number[], ratePerSecond = 1000): Interval {
  const histogram = new Histogram()
  for (const ns of sampleNs) histogram.record(ns)
  const received = sampleNs.length
  const counts = { sent: received, received, bytesReceived: 64 * received, errors: 0 }
  return { second, seconds: 1, ...counts, ratePerSecond, responseUs: distribution(histogram) }
}

/** A result of these response times; the service times are half as long. */
function resultOf(samplesNs: number[], intervals: Interval[] = []): RunResult {
  const meter = new Meter()
  for (const ns of samplesNs) {
    meter.histograms.response.record(ns)
    meter.histograms.service.record(ns / 2)
    meter.counters[counter.messagesPlanned]!++
    meter.counters[counter.messagesReceived]!++
  }
  return summarize({
    total: takeSnapshot([meter]),
    window: {
      seconds: intervals.length,
      achieved: samplesNs.length,
      sent: samplesNs.length,
      counted: false,
    },
    wrong: undefined,
    intervals,
    threads: [effort(null)],
    openLoop: true,
    limits: { rate: false },
    countingCorruption: false,
    conditions,
  })
}

const samples = Array.from({ length: 2000 }, (_, n) => 50_000 + n * n)
const seconds = [0, 1, 2].map(second => interval(second, samples.slice(0, 100 * (second + 1))))
const usual = resultOf(samples, seconds)
const failing: RunResult = {
  ...usual,
  valid: false,
  invalidBecause: ['The generator was the limit.'],
  verdict: 'fail',
  failedBecause: ['7 messages did not come back.'],
  notes: ['This is a note.'],
  errors: { ...usual.errors, reset: 3 },
  firstWrong: {
    connection: 4,
    offset: 1003,
    before: '010203',
    expected: 'aabbcc',
    received: 'aebbcd',
    cause: 'corrupted',
    detail: '2 bits differ.',
  },
  expectations: [{ objective: 'p99<5ms', measured: 6000, measuredText: '6 ms', held: false }],
}

const stage = (text: string, second: number, seconds: number) => ({
  stage: text,
  second,
  seconds,
  planned: 100,
  sent: 100,
  received: 100,
  errors: 0,
  ratePerSecond: 100,
  responseUs: usual.responseUs,
  missed: second === 1.5 ? [{ objective: 'p99<5ms', measuredText: '6 ms' }] : [],
})
/** The second stage begins in the middle of a second, and the third one as the last one ends. */
const changing: RunResult = {
  ...usual,
  run: {
    ...usual.run,
    options: { ...usual.run.options, stages: '0..3k/s over 1500ms, 1k/s for 1s, 0 over 1s' },
  },
  stages: [
    stage('0..3k/s over 1500ms', 0, 1.5),
    stage('1k/s for 1s', 1.5, 1),
    stage('0 over 1s', 2.95, 1),
  ],
}

const single = ['meta', 'br', 'hr', 'img', 'input', 'link']

/** Throws if a tag is not closed, or in the wrong order. Returns all tags with their attributes. */
function tagsOf(page: string): string[] {
  const text = page.replace(/<style>[^<]*<\/style>/, '').replace('<!doctype html>', '')
  const open: string[] = []
  const tags = text.match(/<(?:"[^"]*"|[^">])*>/g)!
  for (const tag of tags) {
    const [, slash, name] = /^<(\/?)([a-z][a-z0-9]*)/.exec(tag) ?? assert.fail(`not a tag: ${tag}`)
    if (slash) assert.equal(open.pop(), name, `${tag} closes something else`)
    else if (!tag.endsWith('/>') && !single.includes(name!)) open.push(name!)
  }
  assert.deepEqual(open, [], 'not closed')
  const rest = text.replace(/<(?:"[^"]*"|[^">])*>/g, '')
  assert.doesNotMatch(rest, /[<>]|&(?!amp;|lt;|gt;|quot;|#39;)/)
  return tags
}

const oddResults: Record<string, RunResult> = {
  usual,
  failing,
  changing,
  'no sample': resultOf([]),
  'no sample in a second': resultOf([], [interval(0, [], 0)]),
  'one sample': resultOf([123_456], [interval(0, [123_456], 1)]),
  'one value many times': resultOf(Array<number>(5000).fill(1e6), [interval(0, [1e6])]),
  'the extremes': resultOf([1, 2 ** 50, ...samples], [interval(0, [1, 2 ** 50], 1e12)]),
  'a second of which nothing is known between others': resultOf(samples, [
    interval(0, [1e6]),
    interval(1, [], 0),
    interval(2, [1e6]),
  ]),
}

test('every page is well-formed, without figures that are none or dangling references', () => {
  for (const [name, result] of Object.entries(oddResults)) {
    const page = loadHtml(result)
    const tags = tagsOf(page).join('\n')
    assert.doesNotMatch(page, /NaN|undefined|Infinity|null|\[object/, name)
    const ids = [...tags.matchAll(/ id="([^"]*)"/g)].map(match => match[1]!)
    assert.equal(new Set(ids).size, ids.length, `${name}: an id is there twice`)
    for (const [, targets] of tags.matchAll(/aria-labelledby="([^"]*)"/g))
      for (const target of targets!.split(' ')) assert.ok(ids.includes(target), target)
  }
})

test('a result that was read from JSON gives the same page', () => {
  const read = JSON.parse(JSON.stringify(failing)) as RunResult
  assert.equal(loadHtml(read), loadHtml(failing))
})

test('the sections have their order, and those without content are left out', () => {
  const headings = (result: RunResult) =>
    [...loadHtml(result).matchAll(/<h2[^>]*>([^<]*)</g)].map(match => match[1])
  const charts = ['Second by second', 'Spread of the response time']
  const end = ['First wrong bytes', 'Expectations', 'Conditions']
  assert.deepEqual(headings(failing), [
    'Figures',
    'Notes',
    ...charts,
    'All percentiles',
    'Failures',
    ...end,
  ])
  assert.deepEqual(headings(usual), [
    'Figures',
    ...charts,
    'All percentiles',
    'Failures',
    'Conditions',
  ])
})

test('that a result is invalid is said before its figures, and why', () => {
  const page = loadHtml(failing)
  const [banner] = page.split('<h2')
  assert.match(banner!, /INVALID, and failed/)
  assert.match(banner!, /The generator was the limit\.[\s\S]*7 messages did not come back\./)
  assert.match(page, /<title>yodel bench [^<]*: INVALID, and failed<\/title>/)
})

test('the first wrong byte is framed, others that differ are underlined', () => {
  const page = loadHtml(failing)
  assert.deepEqual(page.match(/<mark>\w+<\/mark>|<u>\w+<\/u>/g), ['<mark>ae</mark>', '<u>cd</u>'])
  assert.match(page, /expected <code>aa<\/code>, received\s*<code>ae<\/code>/)
})

const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(2)>&lt;\u202e\u0000</style>`

/** Every string in it, and every key that a run may choose, becomes hostile. */
function poison(value: unknown): unknown {
  if (typeof value === 'string') return hostile
  if (Array.isArray(value)) return value.map(poison)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, poison(inner)]))
}

test('nothing from a run becomes markup', () => {
  const poisoned = poison({ ...failing, stages: changing.stages }) as RunResult
  poisoned.run.options[hostile] = hostile
  poisoned.run.versions[hostile] = hostile
  Object.assign(poisoned.errors, { [hostile]: 1 })
  Object.assign(poisoned.messages, { lost: hostile })
  const page = loadHtml(poisoned)
  const names = new Set(tagsOf(page).map(tag => /^<\/?(\w+)/.exec(tag)![1]))
  const usualNames = new Set(
    tagsOf(loadHtml({ ...failing, stages: changing.stages! })).map(
      tag => /^<\/?(\w+)/.exec(tag)![1],
    ),
  )
  assert.deepEqual(
    [...names].filter(name => !usualNames.has(name)),
    [],
  )
  assert.ok(page.includes('&lt;script&gt;alert(1)'), 'it is still shown')
  // oxlint-disable-next-line no-control-regex -- that they are not there is what is tested
  assert.doesNotMatch(page, /[\u202e\u0000]/)
})

test('the page asks for nothing, and runs nothing', () => {
  const page = loadHtml(failing)
  assert.doesNotMatch(page, /https?:|<script|<link|<img|<iframe|@import|url\(/i)
  for (const tag of tagsOf(page)) assert.doesNotMatch(tag, /\s(?:on\w+|src|href|style)=/i)
  assert.match(page, /Content-Security-Policy" content="default-src &#39;none&#39;/)
})

test('a second that is none says how long it was, and its rate is no extreme', () => {
  const rest = { ...interval(2, [1e6], 660), seconds: 0.01 }
  const long = { ...interval(1, [1e6], 990), seconds: 1.25 }
  const page = loadHtml(resultOf(samples, [interval(0, [1e6], 1000), long, rest]))
  assert.match(page, /Second by second between 990 and\s+1,000 messages/)
  assert.match(page, /<th scope="row">1\u00a0s, for 1\.25\u00a0s</)
  assert.match(page, /<th scope="row">2\u00a0s, for 10\u00a0ms</)
  assert.match(page, /<th scope="row">0\u00a0s</)
})

test('stages have a table, and marks in the charts and in the tables of seconds', () => {
  const page = loadHtml(changing)
  const missed =
    /Missed<\/strong> in stage 2 \(1k\/s for 1s\):\s+<code>p99&lt;5ms<\/code>, measured 6 ms/
  assert.match(page, missed)
  const [, rate] = page.split('<figure id="rate"')
  const [chart, rows] = rate!.split('<details>') as [string, string]
  const marks = [...chart.matchAll(/<title>Stage (\d): ([^<]*)</g)].map(([, n, text]) => [n, text])
  const each = [
    ['1', '0..3k/s over 1500ms'],
    ['2', '1k/s for 1s'],
    ['3', '0 over 1s'],
  ]
  assert.deepEqual(marks, [...each, ...each], 'on a wide screen and on a narrow one')
  assert.match(chart, /planned/)
  // A ramp, a step down, and a ramp that the run does not reach the end of.
  assert.match(chart, /<path class="line plan" d="M64 [\d.]+L[\d.]+ [\d.]+L/)
  const cells = [...rows.matchAll(/<td>(\d: [^<]*)?<\/td>\s*<\/tr>/g)].map(match => match[1] ?? '')
  assert.deepEqual(cells.slice(0, 3), ['1: 0..3k/s over 1500ms', '2: 1k/s for 1s', '3: 0 over 1s'])
  assert.doesNotMatch(loadHtml(usual), /stage begins|class="stages"|>Stages</i)
})

test('4,000 seconds are thinned out, and the highest and the lowest stay', () => {
  const slow = interval(1234, [50_000_000])
  const other = interval(0, [1_000_000])
  const many = Array.from({ length: 4000 }, (_, second) =>
    second === 1234 ? slow : { ...other, second, ratePerSecond: second === 2345 ? 0 : 1000 },
  )
  const page = loadHtml(resultOf(samples, many))
  const heights = (name: string, style: string) => {
    const figure = page.split('<figure id="').find(text => text.startsWith(name))!
    const path = new RegExp(`<path class="line ${style}" d="(M[^"]*L[^"]*)"`).exec(figure)![1]!
    return path
      .split(/[ML]/)
      .slice(1)
      .map(point => Number(point.split(' ')[1]))
  }
  const latency = heights('latency', 'third')
  assert.ok(latency.length < 500, `${latency.length} points`)
  assert.equal(latency.filter(y => y === Math.min(...latency)).length, 1)
  const rate = heights('rate', 'first')
  assert.equal(rate.filter(y => y === Math.max(...rate)).length, 1)
  assert.match(page, /4,000 seconds are thinned out/)
  assert.match(page, /<summary>The figures of the 120 slowest seconds</)
  assert.ok(page.length < 300_000, `${page.length} characters`)
})
