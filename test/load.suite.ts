/** What every engine that measures promises. A refusal is a visible skip with its reason. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { bench, type BenchOptions, type RunResult, type Server } from 'yodel'
import { full, onlyFull } from './full.ts'
import { echoFlipped, listen, type BadServer } from './peers/server.ts'
import { Program } from './program.ts'
import { loadRefusal } from './refusal.ts'

type EngineName = Server['engine']
type Measure = (url: string, options: BenchOptions, onReady?: () => void) => Promise<RunResult>

/** A machine that is busy with other tests may take its time: a hang ends at the runner's limit. */
const patience: BenchOptions = { timeoutMs: 120_000, drainMs: 120_000 }

export function loadSuite(engine: EngineName): void {
  const skip = loadRefusal(engine)
  const measure: Measure = async (url, options, onReady) => {
    const run = bench(url, { warmupMs: 0, ...patience, ...options, engine })
    await run.ready
    onReady?.()
    const result = await run.finished
    assert.equal(result.run.engine, engine)
    return result
  }
  describe(`${engine} measures`, { skip, concurrency: 2 }, () => {
    counts(measure, countedBy(engine))
    paces(measure, engine)
    fails(measure, engine)
  })
}

/** The failures that occurred. */
const failures = ({ errors }: RunResult) =>
  Object.fromEntries(Object.entries(errors).filter(([, count]) => count > 0))

const small = { minBytes: 1, maxBytes: 2_000, weight: 9 }
const large = { minBytes: 60_000, maxBytes: 300_000, weight: 1 }
const everyCounted: [name: string, options: BenchOptions & { count: number }][] = [
  ['1 byte, one by one', { sizeBytes: 1, count: 301 }],
  ['1 byte, 16 in flight', { sizeBytes: 1, count: 301, depth: 16, threads: 2 }],
  ['1 to 2,000 bytes, one by one', { sizeBytes: [small], count: 301, threads: 2 }],
  ['1 to 2,000 bytes, 16 in flight', { sizeBytes: [small], count: 301, depth: 16 }],
  ['small ones and large ones', { sizeBytes: [small, large], count: 101, depth: 16 }],
  ['1 MB, one by one', { sizeBytes: 1e6, count: 16 }],
  ['1 MB, 16 in flight', { sizeBytes: 1e6, count: 34, depth: 16 }],
]

/** Each size and each depth occurs in the others, too. */
const oftenEnough: Record<EngineName, number[]> = {
  node: [0, 1, 2, 3, 5, 6],
  uring: [0, 1, 2, 3, 5, 6],
  blocking: [],
}
const countedBy = (engine: EngineName) =>
  everyCounted.filter((_, n) => full || !oftenEnough[engine].includes(n))

/** Echoes everything, and knows how much that was. */
async function echoServer() {
  const seen = { bytes: 0 }
  const server = await listen(socket => {
    socket.on('data', (data: Buffer) => {
      seen.bytes += data.length
      // Back-pressure, or the whole load may be in memory.
      if (socket.write(data)) return
      socket.pause()
      socket.once('drain', () => socket.resume())
    })
    socket.on('end', () => socket.end())
  })
  return { server, seen }
}

function counts(measure: Measure, counted: typeof everyCounted) {
  for (const [name, options] of counted) {
    test(`a count is exact: messages of ${name}`, async () => {
      const { server, seen } = await echoServer()
      await using _ = server
      const result = await measure(server.url, { connections: 3, ...options })
      const { count, sizeBytes, threads = 1 } = options
      const { planned, sent, received, lost, wrong } = result.messages
      assert.deepEqual([planned, sent, received, lost, wrong], [count, count, count, 0, 0])
      const { bytes, responseUs, serviceUs, latenessUs, connectUs } = result
      assert.deepEqual(bytes, { sent: seen.bytes, received: seen.bytes })
      if (typeof sizeBytes === 'number') assert.equal(bytes.sent, count * sizeBytes)
      else assert.ok(bytes.sent > count)
      assert.deepEqual([responseUs.count, serviceUs.count, latenessUs.count], [count, count, 0])
      assert.deepEqual([connectUs.count, result.run.threads], [3, threads])
      assert.deepEqual(failures(result), {})
      assert.equal(result.firstWrong, null)
      assert.equal(result.verdict, 'pass')
    })
  }
}

function paces(measure: Measure, engine: EngineName) {
  for (const arrivals of ['even', 'poisson'] as const) {
    // Both engines ask the same pacer, which has a test of its own.
    const skip = arrivals === 'poisson' && onlyFull
    const title = `an open loop with ${arrivals} arrivals sends what is due, and no more`
    test(title, { skip }, async () => {
      const { server } = await echoServer()
      await using _ = server
      const threads = arrivals === 'even' ? 2 : 1
      // A machine that is held up for 5 ms at the end has not achieved the plan of 200 ms.
      const expect = ['rate>0']
      const pace = { arrivals, ratePerSecond: 2_000, durationMs: 200, expect }
      const result = await measure(server.url, { ...pace, connections: 4, threads, depth: 4 })
      const { planned, sent, received, lost } = result.messages
      if (arrivals === 'even') assert.equal(planned, 400)
      // Of a Poisson process of 400 the deviation is 20; its seed does not change.
      else assert.ok(planned > 300 && planned < 500 && planned !== 400, `${planned} planned`)
      assert.deepEqual([sent, received, lost], [planned, planned, 0])
      const { responseUs, serviceUs, latenessUs } = result
      for (const { count } of [responseUs, serviceUs, latenessUs]) assert.equal(count, planned)
      assert.ok(responseUs.mean! >= serviceUs.mean!)
      assert.equal(result.verdict, 'pass')
    })
  }

  const alike = engine !== 'node' && onlyFull
  test('an open loop stops at its count', { skip: alike }, async () => {
    const { server } = await echoServer()
    await using _ = server
    const result = await measure(server.url, { ratePerSecond: 4_000, connections: 3, count: 100 })
    assert.deepEqual([result.messages.planned, result.messages.received], [100, 100])
    // The first is due at once.
    assert.ok(result.seconds >= 0.99 * (99 / 4_000), `${result.seconds} s`)
  })

  test('a closed loop ends after its time', { skip: onlyFull }, async () => {
    const { server } = await echoServer()
    await using _ = server
    const result = await measure(server.url, { durationMs: 100, threads: 2, connections: 2 })
    const { planned, sent, received } = result.messages
    assert.ok(sent > 0)
    assert.deepEqual([planned, received], [sent, sent])
    assert.ok(result.seconds >= 0.1, `${result.seconds} s`)
    assert.equal(result.verdict, 'pass')
  })
}

/** Echoes so many chunks, and then does something else with each that comes. */
function echoThen(socket: Socket, chunks: number, go: (socket: Socket) => void) {
  let echoed = 0
  socket.on('data', (data: Buffer) => (echoed++ < chunks ? socket.write(data) : go(socket)))
  socket.on('end', () => socket.end())
}

interface Bad {
  name: string
  start: () => Promise<BadServer>
  options?: BenchOptions
  /** Of two connections. */
  errors: Partial<RunResult['errors']>
  cause: NonNullable<RunResult['firstWrong']>['cause']
  /** The offset of the first byte that is wrong or missing. */
  offset: number
}

/** So much comes back, in messages of `sizeBytes`. */
const [echoedChunks, sizeBytes] = [20, 64]
const echoedBytes = echoedChunks * sizeBytes

const bads: Bad[] = [
  {
    name: 'closes early',
    start: () => listen(client => echoThen(client, echoedChunks, socket => socket.end())),
    errors: { closedEarly: 2 },
    cause: 'truncated',
    offset: echoedBytes,
  },
  {
    name: 'resets',
    start: () =>
      listen(client => echoThen(client, echoedChunks, socket => socket.resetAndDestroy())),
    errors: { reset: 2 },
    cause: 'truncated',
    offset: echoedBytes,
  },
  {
    name: 'stops answering, with a timeout',
    start: () => listen(client => echoThen(client, echoedChunks, () => {})),
    options: { timeoutMs: 1_000 },
    errors: { timedOut: 2 },
    cause: 'missing',
    offset: echoedBytes,
  },
  {
    name: 'never answers',
    start: () => listen(client => echoThen(client, 0, () => {})),
    options: { durationMs: 100, drainMs: 50 },
    errors: { unanswered: 2 },
    cause: 'missing',
    offset: 0,
  },
  {
    name: 'never answers the last ones of a count',
    start: () => listen(client => echoThen(client, 2, () => {})),
    // Nothing comes that would show that all is planned.
    options: { count: 6, drainMs: 50 },
    errors: { unanswered: 2 },
    cause: 'missing',
    offset: 2 * sizeBytes,
  },
  {
    name: 'flips a bit',
    start: () => listen(client => echoFlipped(client, 1_234)),
    errors: { wrongBytes: 2 },
    cause: 'corrupted',
    offset: 1_234,
  },
]

/** What is shown every day of each engine; how a connection ends in time is not the engine's. */
const shown: Record<EngineName, string[]> = {
  node: ['stops answering, with a timeout', 'never answers', 'flips a bit'],
  uring: ['resets', 'flips a bit', 'never answers the last ones of a count'],
  blocking: [],
}

function fails(measure: Measure, engine: EngineName) {
  for (const { name, start, options, errors, cause, offset } of bads) {
    const skip = !shown[engine].includes(name) && onlyFull
    test(`a server that ${name} is found out`, { skip }, async () => {
      await using server = await start()
      const load = { connections: 2, sizeBytes, count: 10_000, drainMs: 2_000, ...options }
      const result = await measure(server.url, load)
      assert.deepEqual(failures(result), errors)
      const { sent, received, lost, unfinished, wrong } = result.messages
      // What the drain cuts off before its timeout is not known to be lost.
      const cutOff = errors.unanswered ?? 0
      assert.deepEqual([sent - received, lost, unfinished], [2, 2 - cutOff, cutOff])
      assert.equal(wrong, errors.wrongBytes ?? 0)
      const { firstWrong } = result
      assert.equal(firstWrong?.cause, cause)
      assert.equal(firstWrong.offset, offset)
      assert.equal(result.responseUs.count, received)
      assert.equal(result.verdict, 'fail')
    })
  }

  const reason =
    process.platform !== 'linux' && 'only Linux ignores a client that finds a full backlog'
  test(
    'connections without an answer are counted, the others go on',
    { skip: reason || (engine !== 'node' && onlyFull) },
    async () => {
      await using deaf = new Program(process.execPath, ['-e', fullServer], 'ignore')
      const [, port] = await deaf.says(/port (\d+)/)
      deaf.kill('SIGSTOP')
      // On a busy machine it takes a while until the server has answered those that it has.
      const load = { connections: 10, count: 100, timeoutMs: 2_000 }
      const result = await measure(`:${port}`, load, () => deaf.kill('SIGCONT'))
      const connected = result.connectUs.count
      assert.ok(connected > 0 && connected < 10, `${connected} were connected`)
      assert.deepEqual(failures(result), { timedOut: 10 - connected })
      const { planned, received, lost } = result.messages
      assert.deepEqual([planned, received, lost], [100, 100, 0])
      assert.equal(result.verdict, 'fail')
    },
  )
}

/**
 * A server that is stopped and has room for few clients; when it goes on, it echoes what they sent.
 */
const fullServer = `
  const server = require('node:net').createServer(socket => socket.pipe(socket))
  const place = { host: '127.0.0.1', port: 0, backlog: 3 }
  server.listen(place, () => console.log('port', server.address().port))`
