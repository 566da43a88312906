import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onlyFull } from '../full.suite.ts'
import { bins, ladder } from './ladder.ts'
import { loadText } from './load-text.ts'
import { openLoop, reportSamples as samples, wrong } from './load.suite.ts'
import { roundTripsUs, sampleResult, type Sample } from './sample.suite.ts'

const at80 = { columns: 80, unicode: true }

for (const [name, sample] of Object.entries(samples)) {
  const result = sampleResult(sample)
  for (const columns of [120, 80, 40, 10]) {
    for (const unicode of [true, false]) {
      const title = `${name} fits in ${columns} columns, ${unicode ? 'with blocks' : 'in ASCII'}`
      test(title, { skip: (columns === 40 || columns === 120) && onlyFull }, () => {
        const text = loadText(result, { columns, unicode })
        for (const line of text.split('\n'))
          assert.ok(line.length <= Math.max(40, columns) || line.startsWith('yodel '), line)
        if (!unicode) assert.match(text, /^[\n -~]*$/)
        assert.doesNotMatch(text, / \n|\n\n\n|undefined|NaN|null/)
        assert.match(text, /\S\n$/)
      })
    }
  }
}

test('an invalid run says so in its first line, and again in its verdict', () => {
  const text = loadText(sampleResult(samples['an invalid run']), at80)
  assert.match(text, /^INVALID: The generator was the limit: its thread was busy for 99 %/)
  assert.match(text, /\n {2}because {5}Another reason/)
  assert.match(text, /\n {2}verdict {5}INVALID: see above\n$/)
  assert.doesNotMatch(loadText(sampleResult(), at80), /INVALID/)
})

test('short connections that began late of themselves are not valid', () => {
  const churn: Sample = {
    samplesUs: { churn: roundTripsUs(100).map(us => us * 1e3) },
    options: { connections: 0, churnPerSecond: 10 },
    counters: { messagesPlanned: 0, churnPlanned: 100, churnCompleted: 100 },
  }
  const { valid, invalidBecause } = sampleResult({ ...churn, churnLateUs: 90_000 })
  assert.equal(valid, false)
  const said = 'The generator was the limit: 1 % of its short connections began 90ms or more after'
  assert.deepEqual(invalidBecause, [`${said} their time. Use a lower --churn, or more --threads.`])
  // So late is no matter, or not of what it took.
  for (const churnLateUs of [9_000, 11_000])
    assert.equal(sampleResult({ ...churn, churnLateUs }).valid, true)
})

test('the first line and the last one are why it failed, or that every byte came back', () => {
  for (const [sample, end] of [
    [{}, 'PASS: every byte came back'],
    [samples['objectives'], 'FAIL: Expected this, measured that.'],
    [samples['no sample at all'], 'FAIL: Nothing was measured.'],
    [
      { counters: { messagesPlanned: 1007, messagesSent: 1007 } },
      'FAIL: 7 messages did not come back.',
    ],
    [
      { ...samples['no sample at all'], options: { connections: 0, idle: 9 } },
      'PASS: no message was sent, and nothing failed',
    ],
  ] as [Sample, string][]) {
    const lines = loadText(sampleResult(sample), at80).trimEnd().split('\n')
    assert.deepEqual([lines[0], lines.at(-1)], [end, `  verdict     ${end}`])
  }
})

test('the head and the amounts', () => {
  const lines = loadText(sampleResult(openLoop), at80).split('\n')
  assert.match(lines[0]!, /^FAIL: 1 message could not be sent in time\. 4 messages did not come/)
  const title = lines.findIndex(line => line.startsWith('yodel'))
  assert.deepEqual(lines.slice(title, title + 10), [
    'yodel bench tcp://127.0.0.1:7007',
    '  10 connections, 16 in flight each, 1,000 idle, 5,000/s planned at random,',
    '  2/s short connections, 10s, messages of 33 % 16 B to 64 B + 67 % 1 kB,',
    '  engine node',
    '  messages    1,005 planned, 1,004 sent, 1,000 verified, 5 lost, 0 wrong',
    '  rate        100/s achieved',
    '  response    p50 31.8us, p99 44.0us, max 1.03ms',
    '',
    '  bytes       64 kB out, 64 kB back, 6.40 kB/s',
    '  churn       20 planned, 19 completed',
  ])
})

test('a closed loop has one row for response and service, an open one has all', () => {
  const rows = (sample: Sample, columns: number) =>
    loadText(sampleResult(sample), { columns, unicode: true })
      .split('\n\n')[2]!
      .trimEnd()
      .split('\n')
      .map(line => line.trim().split(/ {2,}/))
  assert.deepEqual(rows({}, 80), [
    ['p50', 'p90', 'p99', 'max'],
    ['round trip', '31.8us', '41.7us', '44.0us', '1.03ms'],
    ['connect', '110us', '-', '-', '250us'],
  ])
  assert.deepEqual(
    rows(openLoop, 80).map(([first]) => first),
    ['p50', 'response', 'service', 'lateness', 'connect', 'churn'],
  )
  assert.deepEqual(rows(openLoop, 40)[0], ['p50', 'p99', 'max'])
  assert.deepEqual(rows(samples['no sample at all']!, 80), [['round trip', 'no sample']])
})

test('the ladder goes as far as the samples, by the nearest rank', () => {
  const percents = (count: number) => ladder([[5, count]]).map(({ percent }) => percent)
  assert.deepEqual(percents(0), [])
  assert.deepEqual(percents(1), [50, 100])
  assert.deepEqual(percents(40), [50, 75, 100])
  assert.deepEqual(percents(1000), [50, 75, 90, 95, 99, 100])
  assert.deepEqual(percents(1e6), [50, 75, 90, 95, 99, 99.5, 99.9, 99.99, 99.999, 100])
  const rungs = ladder([
    [1, 500],
    [2, 390],
    [3, 100],
    [4, 10],
  ])
  assert.deepEqual(
    rungs.map(({ percent, us, above }) => [percent, us, above]),
    [
      [50, 1, 500],
      [75, 2, 250],
      [90, 3, 100],
      [95, 3, 50],
      [99, 3, 10],
      [100, 4, 0],
    ],
  )
})

test('the ladder and the table say the same', () => {
  const { histograms, responseUs } = sampleResult({ samplesUs: { response: roundTripsUs(20_011) } })
  const us = new Map(ladder(histograms.responseUs).map(rung => [rung.percent, rung.us]))
  const { p50, p90, p99, p999, p9999, max } = responseUs
  for (const [percent, value] of [
    [50, p50],
    [90, p90],
    [99, p99],
    [99.9, p999],
    [99.99, p9999],
  ])
    assert.equal(us.get(percent!) ?? null, value)
  assert.equal(us.get(100), max)
})

test('the bins hold every sample once, and have round limits', () => {
  for (const [us, least, most] of [
    [roundTripsUs(1000), 8, 13],
    [[0.064, 4e9], 8, 13],
    [[100, 300, 200], 8, 13],
    [[99.9, 105], 2, 2],
    [[99.9, 100.1], 1, 1],
    [[7], 1, 1],
  ] as [number[], number, number][]) {
    const buckets = us.toSorted((a, b) => a - b).map((value): [number, number] => [value, 2])
    const found = bins(buckets)
    assert.equal(
      found.reduce((sum, { count }) => sum + count, 0),
      us.length * 2,
    )
    assert.ok(found.length >= least && found.length <= most, `${found.length}`)
    for (const [n, { fromUs, count }] of found.entries()) {
      const next = found[n + 1]?.fromUs ?? Infinity
      assert.equal(buckets.filter(([us]) => us >= fromUs && us < next).length * 2, count)
      assert.equal(Number(fromUs.toPrecision(3)), fromUs)
    }
  }
  assert.deepEqual(bins([]), [])
})

test('a flood has no ladder and no bars', () => {
  assert.doesNotMatch(loadText(sampleResult({ command: 'flood' }), at80), /percentile|how often|█/)
  assert.match(loadText(sampleResult(), at80), /percentile[^]*how often[^]*█/)
})

test('the first wrong byte is marked, next to what came and below what was right', () => {
  const block = (received: Buffer, columns: number) =>
    loadText(sampleResult({ wrong: { ...wrong, received } }), { columns, unicode: true })
      .split('\n\n')
      .find(lines => lines.startsWith('  wrong'))!
  assert.equal(
    block(wrong.received, 80),
    `  wrong       connection 3, offset 1,234: corrupted
              2 bytes differ, and what follows is right again.
  before      72 69 67 68 74 20 62 79 74 65 73 20 68 65 72 65  right bytes here
  expected    48 65 6c 6c 6f 2c 20 77 6f 72 6c 64 48 65 6c 6c  Hello, worldHell
  received    48 65 6c 6c c3 b8 2c 20 77 1b 5b 33 31 6d        Hell.., w.[31m
                          ^^ the first wrong byte
  expected    6f 2c 20 77 6f 72 6c 64 48 65 6c 6c 6f 2c 20 77  o, worldHello, w`,
  )
  const later = Buffer.from(wrong.expected)
  later[9]! ^= 1
  assert.match(block(later, 40), /received {4}6f 73 6c.*\n {17}\^\^ the first wrong byte\n/)
  assert.match(
    block(Buffer.alloc(0), 40),
    /received {4}nothing after 1,234 bytes\n {14}\^\^ the first missing byte\n/,
  )
  assert.doesNotMatch(block(Buffer.alloc(0), 40), /received {4}nothing[^]*received/)
})

test('a failed run says how to do it again, in one line that can be copied', () => {
  const long = `yodel bench tcp://127.0.0.1:7007 --seed 1 ${'--flag value '.repeat(20)}end`
  const failed = { counters: { messagesPlanned: 1001 } }
  const text = (run: Sample['run']) =>
    loadText(sampleResult({ ...failed, ...(run && { run }) }), at80)
  assert.ok(text({ reproduce: long }).includes(`\n${long}\n`))
  assert.match(text({ reproduce: 'yodel bench :1' }), /\n {2}reproduce {3}yodel bench :1\n/)
  const withNewline = "yodel flood :1 'Grüezi\n'"
  assert.ok(text({ reproduce: withNewline }).includes(`\n${withNewline}\n`))
  assert.doesNotMatch(loadText(sampleResult(), at80), /reproduce/)
})

test('failures are named, objectives are held or missed', () => {
  const text = loadText(sampleResult(samples['wrong bytes']), at80)
  assert.match(text, /\n {2}failures {4}reset 2, wrongBytes 1\n/)
  assert.match(
    loadText(sampleResult(samples['objectives']), at80),
    /\n {2}expected {4}held {4}p99<5ms {10}1\.20ms\n {14}MISSED {2}rate>=1000000\/s {2}100\/s\n/,
  )
})

test('nothing in a result can move the cursor', () => {
  const evil = 'x\u001b[2J\u202e'
  const change = { notes: [evil], failedBecause: [evil], invalidBecause: [evil] }
  const text = loadText(sampleResult({ change, run: { address: evil, reproduce: evil } }), at80)
  assert.ok(!text.includes('\u001b') && !text.includes('\u202e'), JSON.stringify(text))
  assert.equal(text.split(String.raw`x\x1b[2J\u{202e}`).length, 8)
})
