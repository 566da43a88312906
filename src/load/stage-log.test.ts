/** What is planned and comes back in each stage, on a made clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../full.suite.ts'
import { afterMs, datagrams, live, streams, type Happening, type Server } from './life.suite.ts'
import type { ThreadLoad } from './thread-load.ts'
import { achievedOf } from './replies.ts'
import type { StageLog } from './stage-log.ts'
import { lengthMs, parseStages, staged, warmedUp, type Stage } from './stages.ts'
import type { Stream } from './stream.ts'

interface Logging {
  stageLogs: StageLog[] | undefined
}

interface Run {
  server?: Server
  happens?: Happening<Stream>[]
  warmupMs?: number
  wanted?: Partial<ThreadLoad>
}

function lived(stages: Stage[], { warmupMs = 0, wanted, ...script }: Run = {}, made = streams) {
  const connections = wanted?.connections ?? 1
  const pace = { ratePerSecond: 1, connections, seed: 1, stages: warmedUp(stages, warmupMs) }
  const plan = { pace, warmupMs, durationMs: lengthMs(stages), depth: 400, ...wanted }
  let flow: Logging | undefined
  const { counts } = live(made, plan, { ...script, prepare: (_, made) => void (flow = made) })
  const logs = flow!.stageLogs!
  return {
    planned: logs.map(({ planned }) => planned),
    received: logs.map(({ response }) =>
      response.buckets.reduce((sum, [, count]) => sum + count, 0),
    ),
    windows: logs.map(({ came }) => achievedOf([came])),
    counted: counts('messagesPlanned', 'messagesReceived'),
  }
}

const never: Server = () => undefined
const jump = parseStages('100/s for 1s, 500/s for 1s')

test('a stage has the messages that are planned in it, however late they come back', () => {
  const wanted = {
    planned: [100, 500],
    received: [100, 500],
    // Without the drain: their replies took as long as the messages.
    windows: [
      { seconds: 1, achieved: 100 },
      { seconds: 1, achieved: 500 },
    ],
    counted: [600, 600],
  }
  assert.deepEqual(lived(jump, { server: afterMs(300) }), wanted)
  assert.deepEqual(lived(jump, { server: afterMs(300) }, datagrams as never), wanted)
  assert.deepEqual(lived(jump, { server: afterMs(300), warmupMs: 500 }), wanted)
})

test('what comes back too slowly is planned, and does not count for the rate', () => {
  // From 500/s on only every fourth reply comes within the second.
  const server: Server = n => (n < 100 || n % 4 === 0 ? 10 : 3_000)
  const { planned, received, windows } = lived(jump, { server, wanted: { connections: 400 } })
  assert.deepEqual(
    [planned, received],
    [
      [100, 500],
      [100, 500],
    ],
  )
  assert.deepEqual(
    windows.map(({ achieved }) => achieved),
    [100, 125],
  )
})

test('a thread that gets no processor plans what it has missed in its stages', () => {
  const starved: Happening<Stream>[] = [[50, (_, mover) => void (mover.now = 5e9)]]
  const ramps = parseStages('0..200/s over 1s, 200/s for 500ms, 0 for 300ms, 0 over 200ms')
  assert.deepEqual(lived(ramps, { happens: starved }).planned, [100, 100, 0, 0])
  // More than it looks at one by one.
  const many = parseStages('100k/s for 1s, 0 for 1s, 200k/s for 1s, 10/s for 1s')
  for (const arrivals of ['even', 'poisson'] as const) {
    const { planned, counted } = lived(many, {
      server: never,
      happens: starved,
      wanted: { arrivals },
    })
    assert.equal(
      planned.reduce((sum, count) => sum + count),
      counted[0],
    )
    const off = arrivals === 'even' ? 0 : 2_000
    for (const [n, count] of [100_000, 0, 200_000, 10].entries())
      assert.ok(
        Math.abs(planned[n]! - count) <= Math.min(off, count),
        `${arrivals} ${planned.join()}`,
      )
  }
})

test('an early end makes a stage shorter, and no connection left does not', () => {
  const stop: Happening<Stream> = [1_201, (life, mover) => life.stop(mover.now, false)]
  const stopped = lived(jump, { happens: [stop] })
  assert.deepEqual(stopped.planned, [100, 101])
  assert.deepEqual(
    stopped.windows.map(({ seconds }) => seconds),
    [1, 0.201],
  )
  const close: Happening<Stream> = [205, (_, mover) => mover.closeAll()]
  const dead = lived(jump, { happens: [close] })
  assert.deepEqual(
    [dead.planned, dead.received],
    [
      [100, 500],
      [21, 0],
    ],
  )
})

const rate = fc.integer({ min: 0, max: 2_000 })
const stagesOf = fc
  .array(fc.record({ text: fc.constant(''), from: rate, to: rate, ms: fc.constantFrom(10, 40) }), {
    minLength: 1,
    maxLength: 5,
  })
  .filter(stages => stages.some(({ from, to }) => from + to > 0))

test('the stages have all messages, as many as the integral of the rate says', () => {
  fc.assert(
    fc.property(stagesOf, fc.integer({ min: 1, max: 3 }), (stages, connections) => {
      const { planned, received, counted } = lived(stages, { wanted: { connections } })
      const { until } = staged(stages)
      let endMs = 0
      const due = stages.map(({ ms }) => {
        const before = Math.ceil(until(endMs * 1e6))
        endMs += ms
        return Math.ceil(until(endMs * 1e6)) - before
      })
      assert.deepEqual(planned, due)
      const sum = (all: number[]) => all.reduce((sum, count) => sum + count)
      assert.deepEqual([sum(planned), sum(received)], counted)
    }),
    { numRuns: short(200, 20) },
  )
})
