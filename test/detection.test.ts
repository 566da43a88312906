/** Whatever a server does wrong is found, where it is, and called by its name. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { pathToFileURL } from 'node:url'
import { bench, type BenchOptions, type RunResult } from 'yodel'
import type * as Payloads from '../src/load/payload.ts'
import { until } from './client.ts'
import { onlyFull, short } from './full.ts'
import { BadServer, type Misdeed } from './peers/bad-server.ts'
import { Program, root } from './program.ts'
import { loadRefusal } from './refusal.ts'

type Cause = NonNullable<RunResult['firstWrong']>['cause']
type FailureName = keyof RunResult['errors']

/** What a load sends is no part of the library. */
const payloads = pathToFileURL(`${root}dist/load/payload.js`).href
const { copyOf, createPayload } = (await import(payloads)) as typeof Payloads

const seed = 5
const connections = 4
const payload = createPayload({ kind: 'seeded', seed })

/** The connection whose stream begins with these bytes. */
const numberOf = (beginning: Buffer): number =>
  Array.from({ length: connections }, (_, n) => n).findIndex(n =>
    copyOf(payload, n, 0, beginning.length).equals(beginning),
  )

type Found = [cause: Cause, error: FailureName, detail: RegExp]
const findings: Record<Misdeed, Found> = {
  'flips one bit': ['corrupted', 'wrongBytes', /^1 bit differs in 1 byte/],
  'swaps two pieces': ['swapped', 'wrongBytes', /^Two pieces of PIECE bytes changed places\.$/],
  'repeats a piece': ['duplicated', 'wrongBytes', /^PIECE bytes came twice\.$/],
  'drops a piece': ['missing', 'wrongBytes', /^PIECE bytes are missing: /],
  'sends a piece of another connection': ['foreign', 'wrongBytes', /^The bytes belong to connecti/],
  'inserts seven bytes': ['shifted', 'wrongBytes', /^7 bytes were put in that belong to no conn/],
  'closes in the middle': ['truncated', 'closedEarly', /^The connection was closed with [\d,]+ b/],
  resets: ['truncated', 'reset', /^The connection broke with [\d,]+ bytes unanswered\.$/],
  'never answers': ['missing', 'unanswered', /^[\d,]+ bytes did not come back, although/],
}

interface Case {
  depth: number
  sizeBytes: number
}
const cases: Case[] = [
  { depth: 1, sizeBytes: 64 },
  { depth: 8, sizeBytes: 10_000 },
]
/** These depend on what is in flight, too. */
const delicate: Misdeed[] = ['swaps two pieces', 'drops a piece', 'resets']
/** In the short form some are done once: what is said of the others is tested with diagnose(). */
const daily: Misdeed[] = ['flips one bit', 'drops a piece', 'never answers']
const moreCases: Case[] = [
  { depth: 8, sizeBytes: 64 },
  { depth: 1, sizeBytes: 10_000 },
]

/** Nothing more comes, and the connection stays: of one in flight there is none behind it. */
const isSilent = (misdeed: Misdeed, depth: number) =>
  misdeed === 'never answers' || (misdeed === 'drops a piece' && depth === 1)

/** What is found, when messages are sent one by one and when there are several in flight. */
async function detect(misdeed: Misdeed, { depth, sizeBytes }: Case) {
  // One by one there are never two messages to be swapped, but their halves may be.
  const halves = depth === 1 && misdeed === 'swaps two pieces'
  const pieceBytes = halves ? sizeBytes / 2 : sizeBytes
  const inFlightBytes = depth * sizeBytes
  const afterBytes = 20 * sizeBytes
  const server = new BadServer({ misdeed, afterBytes, pieceBytes, inFlightBytes })
  await using _ = server
  const url = await server.listen()
  const options = { depth, sizeBytes, seed, warmupMs: 0, engine: 'node' } as const
  if (isSilent(misdeed, depth)) {
    // Where others wait for answers, too, theirs may be given up first.
    const run = bench(url, { ...options, connections: 1, drainMs: 50 })
    await until(() => server.damage !== undefined && run.snapshot().messagesReceived === 20)
    run.stop()
    return { result: await run.finished, damage: server.damage, pieceBytes }
  }
  const load = { connections, count: short(400, 120), drainMs: 60_000 }
  const result = await bench(url, { ...options, ...load }).finished
  return { result, damage: server.damage, pieceBytes }
}

describe('it is found that a server', { concurrency: 8 }, () => {
  for (const [misdeed, [cause, error, detail]] of Object.entries(findings) as [Misdeed, Found][]) {
    const all = delicate.includes(misdeed) ? [...cases, ...moreCases] : cases
    for (const each of all) {
      const skip = !(daily.includes(misdeed) && each === cases[1]) && onlyFull
      const { depth, sizeBytes } = each
      test(`${misdeed}, with ${depth} in flight, of ${sizeBytes} bytes`, { skip }, async () => {
        const { result, damage, pieceBytes } = await detect(misdeed, each)
        const { firstWrong, errors } = result
        assert.ok(damage)
        assert.ok(firstWrong, JSON.stringify(errors))
        // The only message in flight was dropped: nothing tells that from a server that sleeps.
        const silent = misdeed === 'drops a piece' && depth === 1
        const counted = silent ? 'unanswered' : error
        const expected = silent
          ? findings['never answers'][2]
          : new RegExp(detail.source.replace('PIECE', pieceBytes.toLocaleString('en-US')))
        assert.equal(firstWrong.cause, cause, firstWrong.detail)
        assert.match(firstWrong.detail, expected)
        assert.equal(firstWrong.connection, numberOf(damage.beginning))
        assert.equal(firstWrong.offset, damage.offset)
        if (damage.foreign) {
          const { beginning, offset } = damage.foreign
          const text = `connection ${numberOf(beginning)}, offset ${offset}`
          assert.ok(firstWrong.detail.includes(text), `${firstWrong.detail} It is ${text}.`)
        }
        const total = Object.values(errors).reduce((sum, count) => sum + count, 0)
        assert.equal(total, 1, JSON.stringify(errors))
        assert.equal(errors[counted], 1)
        assert.equal(result.verdict, 'fail')
        const { lost, unfinished } = result.messages
        // Messages that were no longer awaited are not lost.
        if (isSilent(misdeed, depth)) assert.deepEqual([lost, unfinished], [0, depth])
        else assert.ok(lost > 0 || misdeed === 'repeats a piece')
      })
    }
  }
})

const onShort = (['drops a piece', 'closes in the middle', 'resets'] as const).flatMap(misdeed =>
  (['node', 'uring'] as const).map(engine => ({ misdeed, engine })),
)
for (const { misdeed, engine } of onShort) {
  const name = `it is found on a short connection, too, that a server ${misdeed}: ${engine}`
  test(name, { skip: onlyFull || loadRefusal(engine) }, async () => {
    // A reset close behind data looks like an end: libuv does not ask the system for more.
    const afterBytes = misdeed === 'resets' ? 0 : 10
    const inFlightBytes = 64 - afterBytes
    const server = new BadServer({ misdeed, afterBytes, pieceBytes: 20, inFlightBytes })
    await using _ = server
    const url = await server.listen()
    const options = { connections: 0, churnPerSecond: 100, durationMs: 50, warmupMs: 0 }
    const result = await bench(url, { ...options, engine, drainMs: 2_000 }).finished
    const [cause, error] = findings[misdeed]
    assert.equal(result.firstWrong?.cause, cause)
    assert.equal(result.firstWrong.offset, server.damage?.offset)
    assert.match(result.firstWrong.detail, /^On a short connection \(churn\): /)
    assert.equal(result.errors[error], 1)
    assert.equal(result.verdict, 'fail')
  })
}

test('one bit is found late in a large stream', { skip: onlyFull }, async () => {
  const sizeBytes = 1_000_000
  const afterBytes = 200 * sizeBytes
  const server = new BadServer({ misdeed: 'flips one bit', afterBytes, pieceBytes: 1000 })
  await using _ = server
  const url = await server.listen()
  const options: BenchOptions = { depth: 4, sizeBytes, seed, count: 300, warmupMs: 0 }
  const { firstWrong } = await bench(url, { ...options, engine: 'node', drainMs: 300 }).finished
  assert.equal(firstWrong?.offset, afterBytes + 500)
  assert.equal(firstWrong.cause, 'corrupted')
})

test('a correct server gives no false alarm', { skip: onlyFull }, async () => {
  const server = new BadServer({ misdeed: 'resets', afterBytes: Infinity, pieceBytes: 1 })
  await using _ = server
  const url = await server.listen()
  const load = fc.record({
    seed: fc.nat(2 ** 32 - 1),
    depth: fc.integer({ min: 1, max: 40 }),
    connections: fc.integer({ min: 1, max: 20 }),
    sizeBytes: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 100_000 })),
    count: fc.integer({ min: 1, max: 300 }),
  })
  for (const options of fc.sample(load, { numRuns: 4, seed: 1 })) {
    const result = await bench(url, { ...options, engine: 'node', warmupMs: 0 }).finished
    assert.equal(result.verdict, 'pass', JSON.stringify([options, result.failedBecause]))
    assert.equal(result.firstWrong, null)
    assert.equal(result.messages.received, options.count)
  }
})

/** The others show the same of the library; it is `npm run detect` that must not rot. */
const campaign = 'the campaign finds nothing in its short form, and every misdeed'
test(campaign, { skip: onlyFull }, async () => {
  const args = [`${root}build/benchmarks/detect.js`, '--seconds=0.2']
  await using program = new Program(process.execPath, args, 'ignore')
  const { code, stdout, stderr } = await program.finished
  const said = stdout.toString() + stderr
  assert.equal(code, 0, said)
  assert.match(said, /[1-9]\d* messages.* 0 false alarms/)
  for (const misdeed of Object.keys(findings)) assert.match(said, new RegExp(`${misdeed}: [1-9]`))
})
