/** The series of a run: no second is shorter than that, and each message is in one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../full.suite.ts'
import { counter, Meter } from '../metrics/meter.ts'
import { takeSnapshot } from '../metrics/snapshot.ts'
import type { Interval } from '../report/result.ts'
import { Seconds } from './seconds.ts'

/** What happens at which instant: so many messages are sent, and come back. */
type Event = [atMs: number, sent: number, received: number]

interface Course {
  durationMs: number
  events: Event[]
  endMs: number
  /** Whether it ends after its duration and not before. */
  timed?: boolean
  /** From then on nothing more is planned, whatever the duration. */
  overMs?: number
  /** When the last reply had come, where that is known. */
  lastMs?: number
  /** How late the first timers are. */
  lateMs?: number[]
}

/** Plays it as timers that are up to 5 ms late would. When each interval was told, too. */
function play({ durationMs, events, endMs, timed = true, overMs, lastMs, lateMs = [] }: Course) {
  const meter = new Meter()
  const told: (Interval & { toldMs: number })[] = []
  let nowMs = 0
  const seconds = new Seconds(durationMs, make => told.push({ ...make(), toldMs: nowMs }))
  const left = events.toSorted(([a], [b]) => a - b)
  const until = (atMs: number) => {
    for (; left.length > 0 && left[0]![0] <= atMs; left.shift()) {
      const [, sent, received] = left[0]!
      meter.counters[counter.messagesSent]! += sent
      meter.counters[counter.messagesReceived]! += received
      for (let n = 0; n < received; n++) meter.histograms.response.record(1e6)
    }
    nowMs = atMs
    return { ...takeSnapshot([meter]), atMs }
  }
  seconds.begin({ ...takeSnapshot([]), atMs: 0 })
  for (let n = 0; ; n++) {
    const nextMs = nowMs + seconds.restMs(nowMs) + (lateMs[n] ?? (n * 2) % 5)
    if (nextMs >= endMs) break
    seconds.take(until(nextMs), timed, nextMs >= (overMs ?? Infinity))
  }
  seconds.end(until(endMs), lastMs)
  return told
}

/** Every 10 ms a message, which is answered after a while. */
const steady = (forMs: number, delayMs: number): Event[] =>
  Array.from({ length: forMs / 10 }, (_, n) => n * 10 + 5).flatMap((atMs): Event[] => [
    [atMs, 1, 0],
    [atMs + delayMs, 0, 1],
  ])

const near = (found: number[], wanted: number[]) => {
  const said = `${JSON.stringify(found)} for ${JSON.stringify(wanted)}`
  assert.equal(found.length, wanted.length, said)
  for (const [n, value] of found.entries()) assert.ok(Math.abs(value - wanted[n]!) <= 0.011, said)
}

for (const [name, course, lengths, rates] of [
  [
    'a rest of 10 ms joins the second before it',
    { durationMs: 3000, events: steady(3000, 9), endMs: 3010 },
    [1, 1, 1.01],
    [100, 100, 100 / 1.01],
  ],
  [
    'a rest joins it, too, if the run ends only seconds later',
    { durationMs: 1000, events: steady(1000, 30), endMs: 6000, lastMs: 1025 },
    [1.025],
    [100 / 1.025],
  ],
  [
    'a second behind the window is one of its own',
    { durationMs: 3000, events: steady(3000, 1000), endMs: 4000 },
    [1, 1, 1, 1],
    [0, 100, 100, 100],
  ],
  [
    'half a second of the window joins too, with the drain behind it',
    { durationMs: 2500, events: steady(2500, 200), endMs: 2700 },
    [1, 1.7],
    [80, 170 / 1.7],
  ],
  [
    'what is over in less than a second has its own length',
    { durationMs: 300, events: steady(300, 5), endMs: 305 },
    [0.305],
    [30 / 0.305],
  ],
  [
    'a count may end at any moment',
    { durationMs: Infinity, events: steady(2030, 5), endMs: 2030, timed: false },
    [1, 1.03],
    [100, 103 / 1.03],
  ],
  [
    'waiting for what never comes is no second',
    { durationMs: 1000, events: [...steady(1000, 5), [500, 1, 0]], endMs: 6000 },
    [1.01],
    [100 / 1.01],
  ],
  [
    'waiting behind a count or behind Ctrl-C is no second either',
    { durationMs: Infinity, events: steady(2500, 5), endMs: 8000, timed: false, overMs: 2500 },
    [1, 1, 1],
    [100, 100, 50],
  ],
  [
    'where it is known when the last reply came, the last second ends there',
    {
      durationMs: Infinity,
      events: steady(2500, 5),
      endMs: 8000,
      timed: false,
      overMs: 2500,
      lastMs: 2500,
    },
    [1, 1.5],
    [100, 100],
  ],
  [
    'what threads take to end is no part of a short run',
    { durationMs: Infinity, events: steady(200, 5), endMs: 450, timed: false, lastMs: 200 },
    [0.2],
    [100],
  ],
  [
    'what is left of a second when a timer is late joins the one before it',
    { durationMs: 5000, events: steady(5000, 5), endMs: 5001, lateMs: [0, 260, 0, 0] },
    [1, 2, 1, 1],
    [100, 100, 100, 100],
  ],
  [
    'a silent second of the window is one',
    { durationMs: 3000, events: [...steady(1000, 5), [2500, 1, 1]], endMs: 3000 },
    [1, 1, 1],
    [100, 0, 1],
  ],
  [
    'waiting for one that comes at last is',
    { durationMs: 1000, events: [...steady(1000, 5), [1, 1, 0], [4200, 0, 1]], endMs: 4200 },
    [1, 1, 1, 1.2],
    [99.5, 0.5, 0, 1 / 1.2],
  ],
] as [string, Course, number[], number[]][])
  test(name, () => {
    const told = play(course)
    near(
      told.map(({ seconds }) => seconds),
      lengths,
    )
    const close = (rate: number, n: number) => Math.abs(rate - rates[n]!) <= 2
    assert.ok(told.map(({ ratePerSecond }) => ratePerSecond).every(close), JSON.stringify(told))
  })

test('a second is told at once where another one follows for sure', () => {
  const told = play({ durationMs: 3000, events: steady(3000, 5), endMs: 3020 })
  const lateMs = told.map(({ second, toldMs }) => toldMs - (second + 1) * 1000)
  assert.ok(lateMs[0]! < 20 && lateMs[1]! < 20, lateMs.join())
})

test('each message is in one second, and only a run may be shorter than one', () => {
  const event = fc.tuple(fc.nat(5000), fc.nat(2), fc.nat(2))
  const course = fc.record({
    durationMs: fc.oneof(fc.integer({ min: 1, max: 4000 }), fc.constant(Infinity)),
    events: fc.array(event, { maxLength: 30 }),
    endMs: fc.integer({ min: 5000, max: 8000 }),
    timed: fc.boolean(),
    lateMs: fc.array(fc.nat(950), { maxLength: 6 }),
  })
  fc.assert(
    fc.property(course, course => {
      const told = play(course)
      const sum = (of: (interval: Interval) => number) =>
        told.reduce((total, interval) => total + of(interval), 0)
      assert.equal(
        sum(({ sent }) => sent),
        course.events.reduce((total, [, sent]) => total + sent, 0),
      )
      assert.equal(
        sum(({ responseUs }) => responseUs.count),
        course.events.reduce((total, [, , received]) => total + received, 0),
      )
      let endMs = 0
      for (const { second, seconds } of told) {
        assert.ok(Math.abs(second * 1e3 - endMs) < 1e-6, 'they lie side by side')
        endMs = (second + seconds) * 1e3
        assert.ok(seconds >= 0.9 || told.length === 1, `${seconds}`)
        const lateMs = course.lateMs.reduce((total, ms) => total + ms, 0)
        assert.ok(seconds < (lateMs > 0 ? 4 : 3) + lateMs / 1e3, `${seconds}`)
      }
    }),
    { numRuns: short(30, 8) },
  )
})
