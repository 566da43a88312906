/** What is said of a closed loop whose rate is its generator's, in part or as a whole. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadText } from './load-text.ts'
import { effort, sampleResult } from './sample.suite.ts'

const closedLoop = (connections: number, cpuShare: number, depth = 1) =>
  sampleResult({ cpuShare, options: { connections, depth } })

test('a generator that never waits was the limit, in every format and in the exit code', () => {
  for (const connections of [1, 50]) {
    const { valid, invalidBecause, notes } = closedLoop(connections, 0.99)
    assert.equal(valid, false)
    assert.match(invalidBecause.join(' '), /^The generator was the limit: .* 99 % of the time/)
    assert.deepEqual(notes, [])
  }
  const text = loadText(closedLoop(50, 0.99), { columns: 100, unicode: false })
  assert.match(text, /^INVALID: The generator was the limit/)
  assert.match(text, /\n {2}verdict {5}INVALID: [^\n]+\n$/)
})

test('with one message in flight nothing is sent while it works, which is said', () => {
  // 1,000 messages in 10 seconds.
  const { valid, notes } = closedLoop(1, 0.6)
  assert.equal(valid, true)
  assert.match(notes.join(' '), /busy for 60 % .* a higher rate, at most 250\/s\.$/)
  for (const quiet of [closedLoop(1, 0.2), closedLoop(2, 0.6), closedLoop(1, 0.6, 2)])
    assert.deepEqual(quiet.notes, [])
})

test('a generator that hardly ever waits was near its limit, which is said', () => {
  assert.match(closedLoop(50, 0.93).notes.join(' '), /near its limit \(busy for 93 % of the time\)/)
  assert.deepEqual(closedLoop(50, 0.85).notes, [])
  const samplesUs = { lateness: Array.from({ length: 1_000 }, () => 1) }
  const open = sampleResult({ cpuShare: 0.93, samplesUs, options: { ratePerSecond: 100 } })
  assert.doesNotMatch(open.notes.join(' '), /near its limit/)
})

test('if it was stopped, that comes first, and no advice that does not help against a stop', () => {
  const dueUs = Array.from({ length: 250 }, (_, n) => (n + 1) * 1e3)
  const quickUs = Array.from({ length: 9_750 }, () => 80)
  const samplesUs = { response: [...quickUs, ...dueUs], lateness: [...quickUs, ...dueUs] }
  const stalls = { count: 1, totalNs: 250e6, longest: [[4e9, 250e6] as [number, number]] }
  const because = (touched: object) =>
    sampleResult({
      options: { ratePerSecond: 1_000, connections: 1 },
      efforts: [effort(0.3, { stalls })],
      samplesUs: { ...samplesUs, ...touched },
    }).invalidBecause
  const stopped = because({ responseTouched: dueUs, responseLess: dueUs.map(() => 80) })
  assert.match(
    stopped[0]!,
    /^p99, .* are the generator's own: .* It was stopped, or other programs/,
  )
  assert.match(stopped[1]!, /^The generator was the limit: .* after their time\.$/)
  assert.equal(stopped.length, 2)
  const slow = because({})
  assert.match(
    slow[0]!,
    /^The generator was the limit: .* Use a lower --rate, or more --threads\.$/,
  )
})
