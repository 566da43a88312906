/**
 * docs/result.schema.json against real results: what it promises is there, and it rejects others.
 * The samples of all forms, which the package has for programs that read them.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { before, test } from 'node:test'
import { bench, benchAgainst, check, flood, measureDirection, measureLoaded, merge } from 'yodel'
import { serve } from 'yodel'
import type { BenchOptions, CheckResult, DirectionResult, Rounds, RunResult } from 'yodel'
import { badPath, joins } from './peers/bad-path.ts'
import { peer } from './peers/datagrams.ts'
import { echoFlipped, listen } from './peers/server.ts'
import { portOf, root } from './program.ts'
import { strictlyOf, validatorOf } from './schemas.ts'

type Interval = RunResult['intervals'][number]

/** The runs of rounds are described by it, too. */
const validate = validatorOf('result')
const validateClosed = strictlyOf('result')
const validateRounds = validatorOf('rounds')
const validateRoundsClosed = strictlyOf('rounds')

/** As others read it. */
const written = (result: RunResult) => JSON.parse(JSON.stringify(result)) as RunResult
/** The results of all engines have one form. */
const one = { engine: 'node', threads: 1, connections: 2 } as const
const short: BenchOptions = { durationMs: 100, warmupMs: 20, ...one }
const counted: BenchOptions = { count: 100, warmupMs: 20, ...one }

let results: Record<string, RunResult>
let rounds: Rounds
before(async () => {
  await using server = await listen(socket => void socket.pipe(socket))
  await using udp = await peer({}, (data, answer) => answer(data))
  await using bad = await listen(socket => echoFlipped(socket, 100))
  let clients = 0
  // The first client is left after its first message.
  await using leaving = await listen(socket => {
    const isFirst = clients++ === 0
    socket.on('data', data => void (isFirst ? socket.destroy() : socket.write(data)))
    socket.on('end', () => socket.end())
  })
  await using silent = await listen(socket => socket.resume())
  const expect = ['p50<1us']
  const churn = { ratePerSecond: 500, churnPerSecond: 100, idle: 1, expect: ['p99<1h'] }
  const runs = {
    'closed loop': bench(server.url, { ...counted, slice: '1/2' }),
    'open loop': bench(server.url, { ...short, ...churn }),
    stages: bench(server.url, { ...one, stages: '0..200/s over 500ms, 100/s for 500ms', expect }),
    outages: bench(leaving.url, { ...counted, warmupMs: 0, reconnect: true }),
    flood: flood(server.url, { ...one, count: 10 }),
    datagrams: bench(`udp://127.0.0.1:${udp.port}`, counted),
    // It ends when its connections have failed.
    'wrong bytes': bench(bad.url, { ...short, durationMs: Infinity }),
    'no answer': bench(silent.url, { ...short, drainMs: 10 }),
  }
  const finished = Object.entries(runs).map(
    async ([name, run]) => [name, written(await run.finished)] as const,
  )
  const against = { against: server.url, rounds: 2, count: 20, warmupMs: 0, ...one }
  rounds = await benchAgainst(server.url, against).finished
  results = Object.fromEntries(await Promise.all(finished))
  results.merged = written(merge([results['closed loop']!], ['part1.json']))
  if (process.env['PAGES'] === 'write') await writeFixtures()
  results['fixture'] = fixture('result') as RunResult
})

/** Samples for programs that read results, in the package. */
const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(`${root}fixtures/${name}.json`, 'utf8'))

async function writeFixtures() {
  const samples = { result: results['open loop']!, rounds, ...(await otherSamples()) }
  for (const [name, value] of Object.entries(samples))
    writeFileSync(`${root}fixtures/${name}.json`, `${JSON.stringify(value, undefined, 1)}\n`)
}

/** The other tests look at real results of these every day. */
async function otherSamples() {
  await using streams = await serve('tcp://127.0.0.1:0', { directions: true })
  await using datagrams = await serve('udp://127.0.0.1:0', { directions: true })
  await using bad = await badPath(portOf(streams.url), joins.translatesLines)
  const both = { direction: 'both', durationMs: 2_000, warmupMs: 200, ratePerSecond: 500 } as const
  const objectives = { expect: ['up.rate>=1Mbit/s', 'down.gap.p99<1us'] }
  return {
    direction: await measureDirection(streams.url, { ...both, sizeBytes: 1000, ...objectives })
      .finished,
    'direction-udp': await measureDirection(datagrams.url, both).finished,
    loaded: await measureLoaded(streams.url, { load: 'both:1', durationMs: 2_000, warmupMs: 500 })
      .finished,
    check: await check(bad.url, { only: ['bytes', 'overload'], maxConnections: 4 }).finished,
  }
}

test('the package has a sample of each form', () => {
  const { exports } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
    exports: Record<string, unknown>
  }
  const forms = Object.keys(exports).flatMap(
    name => /^\.\/(.+)\.schema\.json$/.exec(name)?.[1] ?? [],
  )
  const samples = readdirSync(`${root}fixtures`).map(file => file.replace('.json', ''))
  assert.deepEqual(
    forms.filter(form => !samples.includes(form)),
    [],
  )
  for (const sample of samples) {
    const isRight = validatorOf(sample.replace(/-.*/, ''))
    isRight(fixture(sample))
    assert.deepEqual(isRight.errors, null, `${sample}; PAGES=write writes it anew`)
  }
  // Otherwise much of the schemas would not be seen in them.
  const { up, intervals, expectations } = fixture('direction') as DirectionResult
  assert.ok(up && intervals.length > 0 && expectations.length > 0)
  assert.ok((fixture('direction-udp') as DirectionResult).up!.datagrams)
  const { questions } = fixture('check') as CheckResult
  assert.ok(questions.some(({ findings }) => findings.length > 0))
})

test('real results have every key of the schema, and none that it does not describe', () => {
  for (const [name, result] of Object.entries(results)) {
    validate(result)
    assert.deepEqual(validate.errors, null, `${name}; PAGES=write writes the fixture anew`)
    if (name === 'fixture') continue
    validateClosed(result)
    assert.deepEqual(validateClosed.errors, null, name)
  }
  const { 'open loop': open, 'wrong bytes': wrong, 'no answer': none } = results
  assert.ok(results['stages']!.stages!.some(({ missed }) => missed.length > 0))
  // Otherwise the schema of these would not have been looked at.
  assert.ok(open!.churn && open!.latenessUs.count > 0 && open!.expectations.length > 0)
  assert.equal(results['outages']!.outages!.rows.length, 1)
  assert.ok(wrong!.firstWrong && none!.responseUs.p50 === null)
})

test('a newer result may have more keys', () => {
  const more = { ...results['closed loop']!, more: 1 }
  assert.ok(validate(more))
  assert.ok(!validateClosed(more))
})

for (const [name, spoil] of [
  ['another format', result => ((result.format as string) = 'yodel-result-1')],
  [
    'a key that is missing',
    result => delete (result.messages as Partial<typeof result.messages>).lost,
  ],
  ['text for a number', result => ((result.seconds as unknown) = '10 s')],
  ['half a message', result => (result.messages.sent += 0.5)],
  ['fewer than none', result => (result.bytes.received = -1)],
  ['a percentile without a sample', result => (result.latenessUs.p50 = 5)],
  ['a sample without a median', result => (result.responseUs.p50 = null)],
  ['another verdict', result => ((result.verdict as string) = 'maybe')],
  ['a bucket of three', result => (result.histograms.responseUs[0] as number[]).push(3)],
  ['an empty bucket', result => (result.histograms.responseUs[0]![1] = 0)],
  ['a time that is none', result => (result.run.startedAt = 'yesterday')],
  ['an unknown cause', result => ((result.firstWrong!.cause as string) = 'magic')],
  ['bytes that are no hex', result => (result.firstWrong!.received = 'xyz')],
  [
    'an interval without its rate',
    result => delete (result.intervals[0] as Partial<Interval>).ratePerSecond,
  ],
] as [string, (result: RunResult) => unknown][]) {
  test(`a spoiled result is refused: ${name}`, () => {
    const from = results[/cause|hex/.test(name) ? 'wrong bytes' : 'closed loop']!
    const result = structuredClone(from)
    assert.ok(validate(result))
    spoil(result)
    assert.ok(!validate(result))
  })
}

test('rounds have every key of their schema, and whole results; it can say no', () => {
  assert.ok(validateRounds(fixture('rounds')), 'PAGES=write writes the fixture anew')
  const written = JSON.parse(JSON.stringify(rounds)) as Rounds
  for (const check of [validateRounds, validateRoundsClosed]) {
    check(written)
    assert.deepEqual(check.errors, null)
  }
  const spoils: ((rounds: Rounds) => unknown)[] = [
    rounds => ((rounds.format as string) = 'yodel-rounds-2'),
    rounds => ((rounds.rounds[0]!.first as string) = 'both'),
    rounds => (rounds.rounds[1]!.subject.messages.sent += 0.5),
    rounds => delete (rounds.subject as Partial<Rounds['subject']>).serve,
    rounds => (rounds.margin = 0),
  ]
  for (const spoil of spoils) {
    const spoiled = structuredClone(written)
    spoil(spoiled)
    assert.ok(!validateRounds(spoiled), String(spoil))
  }
})
