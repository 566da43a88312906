/** What is merged of slices is what one run of all their threads would have said. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../full.suite.ts'
import { UserError } from '../vocabulary/errors.ts'
import { quoted } from '../vocabulary/text.ts'
import type { Calling } from '../options/calling.ts'
import { callingOf } from './same-load.ts'
import type { ThreadResult } from '../load/thread-result.ts'
import { Replies } from '../load/replies.ts'
import { saveHistogram } from '../metrics/saved.ts'
import { counter, Meter } from '../metrics/meter.ts'
import { takeSnapshot } from '../metrics/snapshot.ts'
import { resultOf, type Gathered } from './gathered.ts'
import { merge } from './merge.ts'
import { partFrom, resultOfPart } from './part-section.ts'
import { readResult } from './read.ts'
import type { RunConditions, RunResult } from './result.ts'
import { effort, sampleResult } from './sample.suite.ts'
import { Series } from './series.ts'
import { distribution } from './summarize.ts'

/** Round trips of a thread, in microseconds. */
type Trips = number[]
const expect = ['p99<1h', 'loss=0']
const { run: usual } = sampleResult({ options: { durationMs: 1_000, warmupMs: 0, connections: 9 } })
const startedMs = Date.parse(usual.startedAt)

function meterOf(trips: Trips): Meter {
  const meter = new Meter()
  for (const us of trips) meter.histograms.response.record(us * 1e3)
  for (const name of ['messagesPlanned', 'messagesSent', 'messagesReceived'] as const)
    meter.counters[counter[name]] = trips.length
  return meter
}

/** One second, in which all of them came back. */
function gather(trips: Trips, fromNs: number): Gathered {
  const meter = meterOf(trips)
  const replies = new Replies(0)
  for (const us of trips) replies.record(us * 1e3, 1)
  const log = { ...replies.log(0, 1e9, true), fromNs, sent: trips.length }
  const threadResult: ThreadResult = {
    wrong: undefined,
    statuses: new Map([[500, 0]]),
    log,
    effort: effort(0.5),
  }
  const total = takeSnapshot([meter])
  return { total, threadResults: [threadResult], intervals: [intervalOf(total)], stages: undefined }
}

const intervalOf = ({ response }: Gathered['total']) => ({
  second: 0,
  seconds: 1,
  sent: response.count,
  received: response.count,
  bytesReceived: 0,
  errors: 0,
  ratePerSecond: response.count,
  responseUs: distribution(response),
})

interface Change {
  calling?: Calling
  conditions?: Partial<RunConditions>
  startedMs?: number
  of?: number
}
const defaults = { calling: {}, conditions: {}, startedMs, of: 2 }

/** As it is read from its file. @param number of the slice */
function slice(number: number, trips: Trips, change: Change = {}): RunResult {
  const { calling, conditions, startedMs, of } = { ...defaults, ...change }
  // Each machine has another clock.
  const startNs = number * 1e12
  const gathered = gather(trips, startNs)
  const said = callingOf(calling)
  const about = { connections: 3, startedMs, startErrorMs: 0, calling: said, expect }
  const responses = [saveHistogram(gathered.total.response)]
  const part = partFrom({ number, of }, about, gathered, responses, startNs)
  const run = { ...usual, ...conditions, startedAt: new Date(startedMs).toISOString() }
  return JSON.parse(JSON.stringify(resultOfPart(part, gathered, run, []))) as RunResult
}

const trips = fc.array(fc.integer({ min: 1, max: 900_000 }), { minLength: 1, maxLength: 60 })

test('slices that are merged say what all their threads together say', () => {
  fc.assert(
    fc.property(fc.array(trips, { minLength: 1, maxLength: short(5, 3) }), all => {
      const of = all.length
      const slices = all.map((each, n) => slice(n + 1, each, { of }))
      const { run, notes: _, ...merged } = merge(slices.toReversed())
      const gathered = all.map(each => gather(each, 0))
      const total = takeSnapshot(all.map(meterOf))
      const whole: Gathered = {
        total,
        threadResults: gathered.flatMap(({ threadResults }) => [...threadResults]),
        intervals: [intervalOf(total)],
        stages: undefined,
      }
      const { run: __, notes: ___, ...wanted } = resultOf(whole, usual, expect)
      assert.deepEqual(JSON.parse(JSON.stringify(merged)), JSON.parse(JSON.stringify(wanted)))
      assert.deepEqual(
        run.parts!.map(part => part.slice),
        all.map((__, n) => `${n + 1}/${of}`),
      )
    }),
    { numRuns: short(20, 3) },
  )
})

const refusal = (results: RunResult[]): string => {
  try {
    merge(results, ['a.json', 'b.json'])
  } catch (error) {
    if (error instanceof UserError) return error.message
    throw error
  }
  return 'none'
}

test('what does not belong together is refused', () => {
  const first = slice(1, [50])
  const other = (change: Change, number = 2) => refusal([first, slice(number, [60], change)])
  assert.equal(other({}, 1), 'a.json and b.json are both slice 1.')
  const load = 'b.json is not part of the load of a.json: '
  assert.equal(other({ of: 3 }), `${load}count of slices 3, not 2.`)
  assert.equal(other({ conditions: { seed: 2 } }), `${load}seed 2, not 1.`)
  const options = { ...usual.options, connections: 8 }
  assert.equal(other({ conditions: { options } }), `${load}connections 8, not 9.`)
  const address = 'tcp://127.0.0.1:7008'
  assert.match(other({ conditions: { address } }), /: address .*7008, not .*7007\.$/)
  const versions = { yodel: '9.9.9' }
  assert.equal(other({ conditions: { versions } }), `${load}version of yodel 9.9.9, not 0.1.0.`)
  assert.equal(
    other({ calling: { sendProxy: 2 } }),
    `${load}option send-proxy --send-proxy 2, not none.`,
  )
  assert.equal(
    other({ calling: { headerFile: 'a: b' } }),
    `${load}option header-file --header-file HEADERS.txt, not none.`,
  )
  const [is, isNot] = [`a: it's --alpn b`, `a: it's not`]
  assert.equal(
    refusal([
      slice(1, [50], { calling: { headers: [is] } }),
      slice(2, [60], { calling: { headers: [isNot] } }),
    ]),
    `${load}option header --header ${quoted(isNot)}, not --header ${quoted(is)}.`,
  )
  // No byte depends on how a machine gets there.
  const ways = [
    { tls: { insecure: true } },
    { source: ['10.0.0.5'] },
    { socket: { interface: 'eth1' } },
  ]
  for (const calling of ways) assert.equal(other({ calling }), 'none')
  const whole = 'b.json is the result of a whole load, not of a slice.'
  assert.equal(refusal([first, sampleResult()]), whole)
  assert.equal(refusal([first, merge([first, slice(2, [60])])]), 'b.json is merged already.')
})

test('a part that is damaged is refused, and no defect', () => {
  const damage = (change: object) => {
    const damaged = slice(2, [60, 70])
    Object.assign(damaged.part!, change)
    return refusal([slice(1, [50]), damaged])
  }
  const { part } = slice(2, [60, 70])
  const counters = { ...part!.total.counters, messagesReceived: 3 }
  const response = { sumNs: 1, buckets: [[1e9, 2]] }
  for (const change of [
    { total: { ...part!.total, counters } },
    { total: { ...part!.total, histograms: { response } } },
    { intervals: [] },
    { threads: [{}] },
    { threads: [{ log: { counts: { $sparse: 7, length: 1 } } }] },
  ])
    assert.match(damage(change), /^b.json is damaged: its section 'part' does not belong to/)
  assert.match(damage({ format: 'yodel-part-9' }), /is a part of the format yodel-part-9; this/)
  for (const calling of [undefined, { header: 7 }]) {
    const text = JSON.stringify({ ...sampleResult(), part: { ...part, calling } })
    assert.throws(() => readResult(text, 'b.json'), /b\.json is damaged: its 'part'/)
  }
})

test('what is missing, or did not run at the same time, makes the result invalid', () => {
  const of3 = (number: number, startedMs?: number) =>
    slice(number, [50], { of: 3, ...(startedMs !== undefined && { startedMs }) })
  const { valid, invalidBecause, messages } = merge([of3(1), of3(3)])
  assert.deepEqual([valid, messages.received], [false, 2])
  assert.deepEqual(invalidBecause, ['Slice 2 of 3 is missing: this is not the whole load.'])
  const [apart] = merge([of3(1), of3(2), of3(3, startedMs + 5_000)]).invalidBecause
  assert.match(apart!, /^The slices did not run together: the last began 5s after the first\./)
  const near = merge([of3(1), of3(2), of3(3, startedMs + 50)])
  assert.equal(near.valid, true)
  assert.match(near.notes.at(-1)!, /began within 50ms of one another/)
})

test('series join second by second; a rest that joined a second takes the next along', () => {
  const at = (second: number, seconds: number, received: number) => {
    const { total } = gather(Array<number>(received).fill(9), 0)
    return { ...intervalOf(total), second, seconds }
  }
  const all = [
    [at(0, 1, 1), at(1, 1.002, 2), at(2.002, 1.4, 4)],
    [at(0.003, 0.999, 10), at(1.002, 1, 20), at(2.002, 1, 40), at(3.002, 1, 80)],
  ].flat()
  const join = (order: readonly number[]) => {
    const series = new Series()
    for (const n of order) {
      const { received } = all[n]!
      series.add(all[n]!, { sumNs: 9_000 * received, buckets: [[8, received]] })
    }
    return series.intervals
  }
  const joined = join([...all.keys()])
  assert.deepEqual(
    joined.map(({ second, received, responseUs }) => [second, received, responseUs.count]),
    [
      [0, 11, 11],
      [1, 22, 22],
      [2.002, 124, 124],
    ],
  )
  assert.equal(joined[2]!.seconds, 2)
  const orders = fc.shuffledSubarray([...all.keys()], { minLength: all.length })
  fc.assert(
    fc.property(orders, order => assert.deepEqual(join(order), joined)),
    { numRuns: 50 },
  )
})
