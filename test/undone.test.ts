/** Whatever was planned and not done: it is never a pass. */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { bench, serve, UserError } from 'yodel'
import type { BenchOptions, LoadRun, Server, Snapshot } from 'yodel'
import { until } from './client.ts'
import { onlyFull } from './full.ts'
import { listen } from './peers/server.ts'
import { loadRefusal } from './refusal.ts'

type Behave = (socket: Socket, n: number) => void

const echo: Behave = socket => {
  socket.on('data', data => void socket.write(data))
  socket.on('end', () => socket.end())
}
/** Only the first so many are served; the others are treated otherwise. */
const first =
  (count: number, others: Behave): Behave =>
  (socket, n) =>
    (n < count ? echo : others)(socket, n)
const reset: Behave = socket => void socket.resetAndDestroy()
const fin: Behave = socket => void socket.end()
const silent: Behave = socket => void socket.resume().on('end', () => socket.end())
/** Once something has come on the first, those behind it are ended. */
function endsOthers(end: Behave): Behave {
  const others: Socket[] = []
  let hasCome = false
  return (socket, n) => {
    if (n > 0 && hasCome) end(socket, n)
    else if (n > 0) others.push(socket)
    else {
      echo(socket, n)
      socket.once('data', () => {
        hasCome = true
        others.forEach(end)
      })
    }
  }
}

interface Case {
  behave: Behave
  load: BenchOptions
  said: RegExp
  /** Ctrl-C as soon as so much has come back; at once, in the warm-up; or so many have failed. */
  stopAtBytes?: number
  stopAtFailed?: number
}

const forever = { durationMs: Infinity, drainMs: 50 }
const idle = { idle: 3, ...forever }
const nothing = /Nothing was measured/

const ofBoth: Record<string, Case> = {
  'idle connections that were reset at once': {
    behave: first(1, reset),
    load: { ...idle, connections: 1 },
    stopAtFailed: 3,
    said: /3 connections failed: (reset|closedEarly)/,
  },
  'idle connections, alone, that were reset at once': {
    behave: reset,
    load: { ...idle, connections: 0 },
    stopAtFailed: 3,
    said: /3 connections failed: (reset|closedEarly)/,
  },
  'idle connections, alone, that were ended at once': {
    behave: fin,
    load: { ...idle, connections: 0 },
    stopAtFailed: 3,
    said: /3 connections failed: closedEarly/,
  },
  'idle connections that end in the middle': {
    behave: endsOthers(fin),
    load: { ...idle, connections: 1 },
    stopAtFailed: 3,
    said: /3 connections failed: closedEarly/,
  },
  'idle connections that are reset in the middle': {
    behave: endsOthers(reset),
    load: { ...idle, connections: 1 },
    stopAtFailed: 3,
    said: /3 connections failed: (reset|closedEarly)/,
  },
  'a count that is not reached': {
    behave: endsOthers(reset),
    load: { connections: 2, count: 1e9, thinkTime: '5ms', ...forever },
    stopAtFailed: 1,
    said: /connections? failed/,
  },
  'a count at a rate that is not reached, whatever the rate may be': {
    behave: socket => socket.once('data', data => void socket.end(data)),
    load: { connections: 2, ratePerSecond: 100, count: 30, expect: ['rate>0'] },
    said: /2\d messages could not be sent/,
  },
  'Ctrl-C in the warm-up': { behave: echo, load: {}, stopAtBytes: 0, said: nothing },
  'Ctrl-C in the warm-up, at a rate': {
    behave: echo,
    load: { ratePerSecond: 100 },
    stopAtBytes: 0,
    said: nothing,
  },
  'Ctrl-C in the warm-up, with idle ones alone': {
    behave: echo,
    load: { connections: 0, idle: 2 },
    stopAtBytes: 0,
    said: nothing,
  },
}

const withShort: Record<string, Case> = {
  'short connections of which none was due': {
    behave: echo,
    load: { churnPerSecond: 2, ratePerSecond: 200, warmupMs: 10, durationMs: 100 },
    said: /No short connection was measured/,
  },
  'Ctrl-C in the warm-up, with short connections alone': {
    behave: echo,
    load: { connections: 0, churnPerSecond: 100 },
    stopAtBytes: 0,
    said: nothing,
  },
  'a short connection of the warm-up that is never answered': {
    // The first is the steady one.
    behave: (socket, n) => (n === 1 ? silent : echo)(socket, n),
    load: { churnPerSecond: 100, warmupMs: 50, durationMs: 100, drainMs: 400 },
    said: /\d+ connections? with messages unanswered/,
  },
  'short connections that are never answered': {
    behave: first(1, silent),
    load: { ratePerSecond: 200, churnPerSecond: 100, ...forever },
    stopAtBytes: 640,
    said: /short connections? did not get through/,
  },
  'a count that cannot be reached any more, with short connections': {
    behave: (socket, n) =>
      n === 0 ? void socket.once('data', () => reset(socket, n)) : echo(socket, n),
    load: { churnPerSecond: 100, count: 1000, drainMs: 50 },
    said: /1 connection failed/,
  },
}

const isReset = (error: unknown): boolean =>
  error instanceof UserError && error.kind === 'network' && error.message.includes('ECONNRESET')

const failed = ({ reset, closedEarly }: Snapshot) => reset + closedEarly

const start = (url: string, engine: Server['engine'], load: BenchOptions): LoadRun =>
  bench(url, { warmupMs: 0, ...load, engine })

/** What of these is shown every day: each way to end, on the one engine or the other. */
const daily: Record<string, readonly string[]> = {
  node: [
    'idle connections, alone, that were reset at once',
    'a count at a rate that is not reached, whatever the rate may be',
    'short connections that are never answered',
  ],
  uring: [
    'a count that is not reached',
    'Ctrl-C in the warm-up',
    'short connections that are never answered',
  ],
}

function cases(engine: Server['engine'], table: Record<string, Case>) {
  for (const [name, { behave, load, said, stopAtBytes, stopAtFailed }] of Object.entries(table))
    test(name, { skip: !daily[engine]!.includes(name) && onlyFull }, async () => {
      let n = 0
      await using server = await listen(socket => behave(socket, n++))
      const warmup = stopAtBytes === 0 && { warmupMs: 60_000 }
      const run = start(server.url, engine, { ...load, ...warmup })
      if (stopAtBytes !== undefined) {
        await run.ready
        await until(() => run.snapshot().bytesIn >= stopAtBytes)
        run.stop()
      }
      // A reset may come before the system has said that there is a connection: nothing is begun
      // then, which is no pass either.
      const refused = run.ready.then(() => false, isReset)
      if (stopAtFailed !== undefined) {
        let isRefused = false
        void refused.then(value => (isRefused = value))
        await until(() => isRefused || failed(run.snapshot()) >= stopAtFailed)
        run.stop()
      }
      if (behave === reset && (await refused)) return assert.rejects(run.finished, isReset)
      const { verdict, failedBecause } = await run.finished
      assert.equal(verdict, 'fail')
      assert.match(failedBecause.join(' '), said)
    })
}

for (const engine of ['node', 'uring'] satisfies Server['engine'][]) {
  const skip = engine !== 'node' && loadRefusal(engine)
  describe(`with ${engine} no pass`, { skip, concurrency: 3 }, () => {
    cases(engine, { ...ofBoth, ...withShort })
  })
}

describe('short connections', () => {
  const engines = (['node', 'uring'] as const).filter(engine => !loadRefusal(engine))
  const full = { skip: onlyFull }
  /** Lets each wait before it reaches a server that upgrades it. */
  async function slowUpgrades(delayMs: number) {
    const server = await serve('ws://127.0.0.1:0', { engine: 'node' })
    const port = Number(new URL(server.url).port)
    const seen = { now: 0, most: 0 }
    const before = await listen(socket => {
      seen.most = Math.max(seen.most, ++seen.now)
      setTimeout(() => {
        seen.now--
        const to = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
        to.on('error', () => socket.destroy())
        socket.on('error', () => to.destroy()).on('close', () => to.destroy())
        socket.pipe(to).pipe(socket)
      }, delayMs)
    })
    const close = async () => {
      await before[Symbol.asyncDispose]()
      await server.close('now')
    }
    return { url: before.url.replace('tcp', 'ws'), seen, [Symbol.asyncDispose]: close }
  }

  for (const engine of engines)
    test(`256 at most are being opened, and the next begins at once: ${engine}`, full, async () => {
      await using slow = await slowUpgrades(300)
      // In a closed loop nothing else wakes the thread.
      const load = { churnPerSecond: 2_000, durationMs: 200, connections: 0, drainMs: 30_000 }
      const { churn } = await start(slow.url, engine, load).finished
      assert.deepEqual([churn!.planned, churn!.completed], [400, 400])
      // The probe that looks for a server may be among them.
      assert.ok(slow.seen.most <= 257, `${slow.seen.most} at a time`)
      // Those behind the first 256 have waited for them: their time counts from the plan.
      assert.ok(churn!.durationUs.p90! >= 400e3, JSON.stringify(churn))
    })

  for (const engine of engines)
    test(`what cannot be open is planned, and none is begun twice: ${engine}`, full, async () => {
      await using server = await listen(socket => echo(socket, 0))
      const load = { churnPerSecond: 20_000, durationMs: Infinity, drainMs: 1_000 }
      const run = start(server.url, engine, load)
      const sentMs = performance.now()
      await until(() => run.snapshot().churnCompleted >= 6_000)
      const leastMs = performance.now() - sentMs
      run.stop()
      const { churn, failedBecause } = await run.finished
      // Due until then: all but those before it was ready.
      assert.ok(
        churn!.planned > 6_000 && churn!.planned <= (leastMs + 1_000) * 20,
        JSON.stringify(churn),
      )
      assert.match(
        failedBecause.join(' '),
        /Achieved [\d,]+\/s of 20,000\/s short connections planned/,
      )
    })
})
