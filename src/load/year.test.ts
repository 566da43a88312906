/** A load that goes on for years: its accounting has the same size after each. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { short } from '../full.suite.ts'
import { counter, Meter } from '../metrics/meter.ts'
import { takeSnapshot } from '../metrics/snapshot.ts'
import { defaultsOf } from '../options/form.ts'
import { Life } from './life.ts'
import { benchOptions } from './options.ts'
import { Outages } from './outages.ts'
import type { Mover } from './mover.ts'
import { copyOf } from './payload.ts'
import type { ThreadLoad } from './thread-load.ts'
import { Replies } from './replies.ts'
import type { Stream } from './stream.ts'
import { Traffic } from './traffic.ts'

const yearSeconds = 365 * 86_400
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** How much the heap has grown when this is done, in bytes. */
function growthOf(work: () => unknown): number {
  collect()
  const before = process.memoryUsage().heapUsed
  const kept = work()
  collect()
  const grown = process.memoryUsage().heapUsed - before
  assert.notEqual(kept, undefined)
  return grown
}
/** A number that is kept for each second would take 250 MB; for each tenth one, 25 MB. */
const littleBytes = 16e6

test('a year of seconds, each with a reply, takes no more memory than a day', () => {
  const step = short(1, 10)
  const meter = new Meter()
  const grown = growthOf(() => {
    const replies = new Replies(0)
    for (let second = 0; second < yearSeconds; second += step) {
      replies.record(second * 1e9 + 5e5, 1)
      meter.histograms.response.record(5e5)
    }
    assert.equal(replies.until(yearSeconds * 1e9), yearSeconds / step)
    return replies
  })
  assert.ok(grown < littleBytes, `${grown}`)
  assert.equal(takeSnapshot([meter]).response.count, yearSeconds / step)
})

test('an outage every minute of a year is kept within bounds', () => {
  const meter = new Meter()
  const outages = new Outages(meter)
  const every = short(60, 3_600)
  let count = 0
  const grown = growthOf(() => {
    for (let second = 0; second < yearSeconds; second += every, count++) {
      const outage = outages.broken(counter.reset)!
      outage.beginNs = second * 1e9
      outages.opened(outage, second * 1e9 + 1e9)
      outages.end(outage, second * 1e9 + 2e9, 1e6)
    }
    return outages
  })
  assert.ok(grown < littleBytes, `${grown}`)
  assert.ok(outages.since(0).length <= 8_192)
  assert.equal(takeSnapshot([meter]).outagesEnded, count)
})

/** A server that echoes at once, on a clock that goes from message to message. */
class Echoing implements Mover<Stream> {
  open = 1
  now = 0
  readonly #traffic: Traffic

  constructor(traffic: Traffic) {
    this.#traffic = traffic
  }

  begin(): void {
    for (const stream of this.#traffic.streams) this.send(stream)
  }

  send(stream: Stream): void {
    const offset = stream.issuedBytes
    const length = stream.issue(this.now, 1)
    if (length === 0) return
    stream.onSent(stream.issuedBytes, this.now)
    const data = copyOf(this.#traffic.payload, stream.connection, offset, length)
    stream.arrived(data, 0, length, this.now + 5e5)
  }

  countSent(): void {}
  giveUp(): void {
    this.open = 0
  }
  closeAll(): void {
    this.open = 0
  }
}

test('the whole life of a load of one message a second, for a year', () => {
  // In its short form as many messages as in a day, spread over the year.
  const messages = short(yearSeconds, yearSeconds / 365)
  const plan: ThreadLoad = {
    ...defaultsOf(benchOptions),
    payload: { kind: 'repeat', message: Buffer.from('Hello!\n') },
    sizes: [{ minBytes: 7, maxBytes: 7, weight: 1 }],
    firstConnection: 0,
    connectionStep: 1,
    pace: { ratePerSecond: messages / yearSeconds, connections: 1, seed: 1 },
    countedNs: undefined,
    churn: undefined,
    warmupMs: 0,
    durationMs: Infinity,
  }
  const meter = new Meter()
  const grown = growthOf(() => {
    const traffic = new Traffic(plan, meter)
    const mover = new Echoing(traffic)
    const life = new Life(traffic, mover, { tickMs: 3_600_000, measure: () => {} })
    life.start(0, 0)
    while (mover.now < yearSeconds * 1e9) {
      mover.now = Math.max(mover.now + 1, life.dueNs)
      life.turn(mover.now)
    }
    return [traffic, life]
  })
  const { messagesReceived, wrongBytes, response, open } = takeSnapshot([meter])
  assert.ok(Math.abs(messagesReceived - messages) <= 1, `${messagesReceived}`)
  assert.deepEqual([wrongBytes, response.count, open], [0, messagesReceived, 0])
  // None was late, however large the numbers of its instant are.
  assert.ok(response.quantiles([1])[0]! < 6e5)
  assert.ok(grown < littleBytes, `${grown}`)
})
