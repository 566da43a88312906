/** Each way through the life of a load, on a made clock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short as runs } from '../full.suite.ts'
import type { DatagramStream } from './datagram-stream.ts'
import {
  afterMs,
  datagrams,
  live,
  ms,
  paced,
  streams,
  tickMs,
  type Happening,
  type Server,
} from './life.suite.ts'
import type { ShortConnections } from './mover.ts'
import type { ThreadLoad } from './thread-load.ts'
import type { Stream } from './stream.ts'

interface Stopped {
  stop(now: number, atOnce: boolean): void
}

const stop = (atOnce: boolean) => (life: Stopped, mover: { now: number }) =>
  life.stop(mover.now, atOnce)
const never: Server = () => undefined
const allBut =
  (silent: number): Server =>
  n =>
    n === silent ? undefined : 1

test('a closed loop sends until its time is up, and ends with the last echo', () => {
  const { endedMs, times, counts, measuredMs } = live(
    streams,
    { connections: 2, durationMs: 250 },
    { server: afterMs(40) },
  )
  // At 0, 40, ... 240, of each.
  assert.equal(times('sent'), 14)
  assert.equal(endedMs, 280)
  assert.deepEqual(counts('messagesPlanned', 'messagesReceived', 'unanswered'), [14, 14, 0])
  // At each tick, when nothing more is planned, and at the end.
  assert.deepEqual(measuredMs, [100, 200, 250, 280])
})

test('an open loop sends at the planned instants', () => {
  const { log, endedMs, counts } = live(
    streams,
    { ...paced(100, 2), durationMs: 45 },
    { server: afterMs(3) },
  )
  assert.deepEqual(log.slice(0, -1), ['0 sent', '10 sent', '20 sent', '30 sent', '40 sent'])
  // What the system has by then it had before the end.
  assert.match(log.at(-1)!, /^45 counted as of 44\.99/)
  assert.equal(endedMs, 45)
  assert.deepEqual(counts('messagesPlanned', 'messagesReceived'), [5, 5])
})

test('what is deferred is sent in the drain, which ends with the last echo', () => {
  const { endedMs, times, counts } = live(
    streams,
    { ...paced(100), durationMs: 45 },
    { server: afterMs(100) },
  )
  assert.equal(times('sent'), 5)
  assert.equal(endedMs, 500)
  assert.deepEqual(counts('messagesReceived', 'unanswered', 'timedOut'), [5, 0, 0])
})

test('a count ends what is planned, and its last message has the drain to come back', () => {
  const load = { count: 3, drainMs: 1_000, timeoutMs: 10_000 }
  const whole = live(streams, load, { server: afterMs(7) })
  assert.equal(whole.endedMs, 21)
  const { endedMs, counts } = live(streams, load, { server: allBut(2) })
  // Nothing comes that would show that all is planned: the next tick does.
  assert.equal(endedMs, tickMs + 1_000)
  assert.deepEqual(counts('messagesPlanned', 'messagesReceived', 'unanswered'), [3, 2, 1])
  assert.deepEqual(counts('timedOut', 'messagesUnfinished'), [0, 1])
})

test('a timeout in the drain is one', () => {
  const load = { durationMs: 20, drainMs: 1_000, timeoutMs: 300 }
  const { endedMs, counts } = live(streams, load, { server: never })
  assert.equal(endedMs, 320)
  assert.deepEqual(counts('timedOut', 'unanswered'), [1, 0])
})

test('without a drain what is under way is given up, but not before it is sent', () => {
  const load = { ...paced(100, 3), durationMs: 25, drainMs: 0 }
  const { log, endedMs, counts } = live(streams, load, { server: never })
  assert.deepEqual(log.slice(0, 3), ['0 sent', '10 sent', '20 sent'])
  assert.match(log[3]!, /^25 counted/)
  assert.deepEqual(log.slice(4), ['25 gave up', '25 gave up', '25 gave up'])
  assert.equal(endedMs, 25)
  assert.deepEqual(counts('unanswered', 'messagesUnfinished'), [3, 3])
})

test('a stop plans no more and drains; one at once does not drain', () => {
  const load = { ...paced(100), durationMs: 10_000 }
  const drained = live(streams, load, { server: afterMs(40), happens: [[25, stop(false)]] })
  // Due at 0, 10 and 20; each waits for the one before.
  assert.deepEqual([drained.times('sent'), drained.endedMs], [3, 120])
  assert.deepEqual(drained.counts('messagesPlanned', 'messagesReceived'), [3, 3])
  const left = live(streams, load, { server: afterMs(40), happens: [[25, stop(true)]] })
  assert.deepEqual([left.times('sent'), left.times('gave up'), left.endedMs], [1, 1, 25])
  assert.deepEqual(left.counts('messagesPlanned', 'messagesReceived'), [3, 0])
  // A second stop, at once, ends a drain that has begun.
  const hurried: Happening<Stream>[] = [
    [25, stop(false)],
    [30, stop(true)],
    [30, stop(true)],
  ]
  assert.equal(live(streams, load, { server: never, happens: hurried }).endedMs, 30)
})

test('what is stopped before it has begun sends nothing', () => {
  for (const atOnce of [false, true])
    for (const load of [{ durationMs: 100 }, { ...paced(100), durationMs: 100 }]) {
      const { times, endedMs } = live(streams, load, { happens: [[-1, stop(atOnce)]] })
      assert.deepEqual([times('sent'), endedMs], [0, 0])
    }
})

test('a connection that has waited too long is given up, and the others go on', () => {
  const load = { connections: 2, durationMs: 1_000, timeoutMs: 150 }
  const { times, endedMs, counts } = live(streams, load, {
    server: n => (n === 1 ? undefined : 10),
  })
  assert.equal(times('gave up'), 1)
  assert.equal(endedMs, 1_000)
  assert.deepEqual(counts('timedOut', 'messagesReceived'), [1, 100])
})

test('it ends when no connection is left, and what was to be due stays planned', () => {
  const close: Happening<Stream> = [35, (_, mover) => mover.closeAll()]
  const happens = [close]
  const timed = live(streams, { ...paced(100, 2), durationMs: 200 }, { happens })
  assert.equal(timed.endedMs, 35)
  assert.deepEqual(timed.counts('messagesPlanned', 'messagesReceived', 'closedEarly'), [20, 4, 2])
  const counted = live(streams, { ...paced(100, 2), count: 30 }, { happens })
  assert.equal(counted.endedMs, 35)
  assert.deepEqual(counted.counts('messagesPlanned', 'messagesReceived'), [30, 4])
})

test('nothing was connected: it ends at once', () => {
  const prepare = (mover: { closeAll(): void }) => mover.closeAll()
  const { endedMs, times } = live(streams, { connections: 3, durationMs: 500 }, { prepare })
  assert.deepEqual([endedMs, times('sent')], [0, 0])
})

test('idle connections alone are held for the whole time', () => {
  assert.equal(live(streams, { connections: 0, idle: 1, durationMs: 700 }).endedMs, 700)
})

test('what the system does not say at once is asked again, for 250 ms at most', () => {
  const load = { durationMs: 20, drainMs: 0 }
  const soon = live(streams, load, { server: never, prepare: mover => (mover.halts = 3) })
  assert.deepEqual([soon.times('halts'), soon.endedMs], [4, 23])
  assert.deepEqual(soon.log.slice(-2), ['23 halts', '23 gave up'])
  const later = live(streams, load, { server: never, prepare: mover => (mover.halts = 1_000) })
  assert.equal(later.endedMs, 270)
})

/** Short connections that are due every 30 ms, each of which takes 100 ms. */
class MadeChurn implements ShortConnections {
  nextNs = 0
  begunMs: number[] = []
  abandoned = false
  #lastNs = -Infinity
  readonly #endNs: number

  constructor(untilMs: number) {
    this.#endNs = untilMs * ms
  }

  start(now: number): void {
    this.nextNs = now
  }

  plan(now: number): void {
    for (; this.nextNs <= now && this.nextNs < this.#endNs; this.nextNs += 30 * ms) {
      this.begunMs.push(now / ms)
      this.#lastNs = now
    }
    if (this.nextNs >= this.#endNs) this.nextNs = Infinity
    this.done = this.nextNs === Infinity && (this.abandoned || now >= this.#lastNs + 100 * ms)
  }

  done = false

  abandon(): void {
    this.abandoned = true
  }
}

test('short connections are due by their own schedule, and keep it alive', () => {
  const short = new MadeChurn(100)
  const look: Happening<Stream>[] = [[190, () => {}]]
  const alone = live(streams, { connections: 0, durationMs: 100 }, { short, happens: look })
  assert.deepEqual(short.begunMs, [0, 30, 60, 90])
  assert.equal(alone.endedMs, 190)
  const beside = new MadeChurn(100)
  assert.equal(live(streams, { durationMs: 50 }, { short: beside, happens: look }).endedMs, 190)
  // The drain is theirs, too.
  const cut = new MadeChurn(100)
  const load = { durationMs: 100, drainMs: 40 }
  assert.equal(live(streams, load, { short: cut, happens: [[141, () => {}]] }).endedMs, 141)
  assert.equal(cut.abandoned, true)
})

test('behind the last datagram a duplicate has a moment', () => {
  const sizes = [{ minBytes: 64, maxBytes: 64, weight: 1 }]
  const load = { count: 5, depth: 5, sizes, timeoutMs: 200 }
  const { endedMs, counts } = live(datagrams, load, { server: afterMs(3) })
  assert.equal(endedMs, tickMs + 50)
  assert.deepEqual(counts('messagesReceived'), [5])
  const doubled: Happening<DatagramStream> = [
    1,
    (_, { coming }) => void coming.push({ ...coming[0]!, atNs: (tickMs + 49) * ms }),
  ]
  const { counts: seen } = live(datagrams, load, { server: afterMs(3), happens: [doubled] })
  assert.deepEqual(seen('messagesReceived', 'datagramsDuplicated'), [5, 1])
})

test('a datagram that is lost is waited for as long again, but not beyond the drain', () => {
  const load = { count: 5, depth: 5, timeoutMs: 2_000, drainMs: 60_000 }
  const { endedMs, counts } = live(datagrams, load, { server: allBut(3) })
  assert.equal(endedMs, 2_000 + 2_000 + 50)
  assert.deepEqual(counts('messagesReceived', 'datagramsLate'), [4, 0])
  const late = live(datagrams, load, { server: n => (n === 3 ? 3_110 : 1) })
  assert.equal(late.endedMs, 3_200 + 50)
  assert.deepEqual(late.counts('messagesReceived', 'datagramsLate'), [4, 1])
  const cut = live(datagrams, { ...load, drainMs: 500 }, { server: allBut(3) })
  assert.equal(cut.endedMs, tickMs + 500)
  assert.equal(live(datagrams, { ...load, drainMs: 0 }, { server: never }).endedMs, tickMs)
})

test('whatever the server does, it ends in time, and nothing planned is forgotten', () => {
  const delays = fc.array(fc.option(fc.integer({ min: 1, max: 400 }), { nil: undefined }), {
    minLength: 1,
    maxLength: 20,
  })
  const load = fc.record({
    connections: fc.integer({ min: 1, max: 3 }),
    depth: fc.integer({ min: 1, max: 3 }),
    rate: fc.option(fc.integer({ min: 10, max: 200 }), { nil: undefined }),
    count: fc.option(fc.integer({ min: 1, max: 30 }), { nil: Infinity }),
    drainMs: fc.integer({ min: 0, max: 300 }),
    timeoutMs: fc.integer({ min: 10, max: 600 }),
    isDatagrams: fc.boolean(),
  })
  const stopAt = <S extends Stream | DatagramStream>(
    stopped: [number, boolean] | null,
  ): Happening<S>[] => (stopped ? [[stopped[0], stop(stopped[1])]] : [])
  const stops = fc.option(fc.tuple(fc.integer({ min: 0, max: 600 }), fc.boolean()))
  fc.assert(
    fc.property(delays, load, stops, (delays, { rate, isDatagrams, ...options }, stopped) => {
      const durationMs = 500
      const pace = rate === undefined ? {} : paced(rate, options.connections)
      const wanted: Partial<ThreadLoad> = { ...options, ...pace, durationMs }
      const server: Server = n => delays[n % delays.length]
      const lived = isDatagrams
        ? live(datagrams, wanted, { server, happens: stopAt(stopped) })
        : live(streams, wanted, { server, happens: stopAt(stopped) })
      const [planned, sent, received] = lived.counts(
        'messagesPlanned',
        'messagesSent',
        'messagesReceived',
      )
      assert.ok(planned! >= sent! && sent! >= received!)
      assert.equal(lived.times('sent'), sent)
      assert.ok(planned! <= options.count)
      assert.ok(lived.endedMs <= durationMs + tickMs + options.drainMs)
      if (stopped?.[1]) assert.ok(lived.endedMs <= stopped[0])
    }),
    { numRuns: runs(2_000, 60) },
  )
})
