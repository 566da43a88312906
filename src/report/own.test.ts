/** Which figures are the generator's own, and what is said of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ThreadEffort } from '../load/stalls.ts'
import { loadHtml } from './html.ts'
import { withoutOwn } from './less.ts'
import { loadText } from './load-text.ts'
import { effort, sampleResult } from './sample.suite.ts'
import { cases, resultOf } from './validity.suite.ts'

const [quiet, stopped, half, stamped, long, open, server, starved, brief, churn] =
  cases.map(resultOf)
const marked = ({ generator }: NonNullable<typeof quiet>) =>
  generator.own!.map(({ figure }) => figure)

test('a figure is marked where the share of the generator is large, and no other one', () => {
  assert.deepEqual(marked(quiet!), [])
  assert.deepEqual(marked(stopped!), ['rate', 'max', 'mean'])
  assert.deepEqual(marked(half!), ['rate', 'max', 'mean'])
  assert.deepEqual(marked(server!), [])
  assert.equal(quiet!.valid && server!.valid, true)
  assert.equal(stopped!.valid || half!.valid || open!.valid || starved!.valid, false)
  const { measured, bound } = stopped!.generator.own![1]!
  assert.ok(measured > 499e3 && bound < 1e3, `${measured} ${bound}`)
})

test('without that, the rate is what it would be at the same pace', () => {
  const { rates } = withoutOwn(starved!)
  const measured = starved!.rates.achievedPerSecond!
  assert.ok(Math.abs(rates.achievedPerSecond! - measured / 0.26) < 1)
  // Some systems count a short run as one that waited all the time. JSON has no infinity.
  const { generator } = sampleResult({ efforts: [effort(0, { queuedShare: 1 })] })
  assert.ok(Number.isFinite(generator.own![0]!.bound), generator.own![0]!.figure)
})

test('a stop spoils the rate of a closed loop, even where all times are right', () => {
  assert.deepEqual(marked(stamped!), ['rate'])
  assert.equal(stamped!.valid, false)
  assert.match(
    stamped!.invalidBecause.join(' '),
    /^rate is the generator's own: it was held up once/,
  )
  const { measured, bound } = stamped!.generator.own![0]!
  assert.ok(Math.abs(measured / bound - 0.95) < 1e-9, `${measured} ${bound}`)
  // An hour is not spoiled by half a second.
  assert.deepEqual([marked(long!), long!.valid], [[], true])
  // Neither is it by short delays, which every machine has, nor is the plan of an open loop.
  const rateOf = (count: number, ms: number, options = {}) => {
    const longest = Array.from({ length: count }, (_, n): [number, number] => [n * 3e8, ms * 1e6])
    const stalls = { count, totalNs: count * ms * 1e6, longest }
    return marked(sampleResult({ options, efforts: [effort(0.3, { stalls })] })).includes('rate')
  }
  assert.deepEqual([rateOf(1, 80), rateOf(1, 101), rateOf(2, 80)], [false, true, true])
  assert.equal(rateOf(20, 30), false)
  assert.equal(rateOf(2, 80, { ratePerSecond: 100 }), false)
  // Of two threads each was stopped for half as long in all.
  const one = effort(0.3, { stalls: { count: 1, totalNs: 150e6, longest: [[1e9, 150e6]] } })
  const ofTwo = (efforts: ThreadEffort[]) =>
    marked(sampleResult({ efforts, run: { threads: 2 } })).includes('rate')
  assert.deepEqual([ofTwo([one, effort(0.3)]), ofTwo([one, one])], [false, true])
})

test('with no connection left the rate is not the one of the generator', () => {
  const efforts = [effort(0.24, { queuedShare: 0.74 })]
  const died = (reset: number) => marked(sampleResult({ efforts, counters: { reset } }))
  assert.ok(died(9).includes('rate'))
  assert.ok(!died(10).includes('rate'))
})

test('an objective that the generator has missed is no failure of the server', () => {
  assert.deepEqual([open!.verdict, open!.valid], ['pass', false])
  assert.equal(open!.expectations[0]!.ownFault, true)
  assert.match(open!.invalidBecause.join(' '), /missed by the generator's own fault/)
  assert.deepEqual([server!.verdict, server!.valid], ['fail', true])
  assert.equal(server!.expectations[0]!.ownFault, undefined)
})

test('of short connections connect and churn are marked, and objectives on them', () => {
  const percentiles = ['p99', 'p99.9', 'max', 'mean']
  const both = ['churn', 'connect'].flatMap(name => percentiles.map(each => `${name}.${each}`))
  assert.deepEqual(marked(churn!), both)
  assert.deepEqual([churn!.verdict, churn!.valid], ['pass', false])
  assert.equal(churn!.expectations[0]!.ownFault, true)
  const text = loadText(churn!, { columns: 100, unicode: false })
  assert.match(text, /^ {2}connect .*ms\*.*\n {2}churn .*ms\*/m)
})

test('short connections that a stall left behind their plan are no failure of the server', () => {
  const options = { connections: 0, churnPerSecond: 1_000 }
  const shortOf = (stalledMs: number) => {
    const stalls = { count: 1, totalNs: stalledMs * 1e6, longest: [] }
    const times = Array.from({ length: 900 }, () => 500e3)
    const touched = stalledMs > 0 ? times : []
    return sampleResult({
      seconds: 1,
      options,
      efforts: [effort(0.3, { stalls })],
      counters: { churnPlanned: 1_000, churnCompleted: 900 },
      samplesUs: {
        response: [],
        churn: times,
        churnTouched: touched,
        churnLess: touched.map(() => 90),
      },
    })
  }
  const short = 'Achieved 900/s of 1,000/s short connections planned.'
  const [own, servers] = [shortOf(200), shortOf(0)]
  assert.ok(!own.failedBecause.includes(short) && servers.failedBecause.includes(short))
  assert.deepEqual([own.valid, servers.valid], [false, true])
})

test('what is short is marked and noted, and no more', () => {
  assert.deepEqual([brief!.valid, brief!.verdict], [true, 'pass'])
  assert.ok(marked(brief!).includes('p99.9'))
  assert.match(brief!.notes.join(' '), /p99.9, max and mean are the generator's own: /)
})

test('text and page mark these figures, and say what they are without that', () => {
  const text = loadText(open!, { columns: 100, unicode: false })
  assert.match(text, /response .*ms\*/)
  assert.match(text, /\* own +the generator's; without that p9/)
  assert.match(text, /\n {2}expected {4}INVALID {2}p99.9<100ms/)
  assert.match(loadHtml(open!), /missed by the generator itself/)
  assert.match(loadHtml(open!), /The generator’s own figure/)
  assert.doesNotMatch(loadText(server!, { columns: 100, unicode: false }), /\* own|[mu]s\*/)
  assert.doesNotMatch(loadHtml(server!), /The generator’s own figure/)
})
