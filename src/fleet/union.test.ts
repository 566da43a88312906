/**
 * Whatever the plan and however many agents: what they send is message by message what one machine
 * sends, and what they tell adds up to what one machine would have counted. Everything from the
 * options to the instants, and from the counts of threads to the result, is the real thing; only
 * there is no broker, and a server that answers after a time that follows from the message.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { prepareBench, type BenchOptions } from '../bench.ts'
import { short } from '../full.suite.ts'
import { saveSnapshot } from '../metrics/saved.ts'
import { counter, Meter } from '../metrics/meter.ts'
import { takeSnapshot, type Snapshot } from '../metrics/snapshot.ts'
import { SnapshotSum } from '../metrics/sum.ts'
import { Merger } from '../report/merge.ts'
import { mix } from '../vocabulary/random.ts'
import { partOfLost } from './lost.ts'
import { Member } from './member.ts'
import { tickAt } from './messages.ts'
import { changesSince, pack, splitChanges } from './packed.ts'
import { address, agentsOf, allOf, plans, tasksOf, usual, type Sent } from './plans.suite.ts'

const inOrder = (all: readonly Sent[]) =>
  all.map(({ dueNs, measured, text }) => `${text} at ${dueNs} ${measured}`).toSorted()

test('what agents send is together message by message the plan of one machine', () => {
  let looked = 0
  const check = (options: BenchOptions, agents: number) => {
    const divided = agentsOf(options, agents)
    fc.pre(divided !== undefined)
    const all = tasksOf(prepareBench(address, options)).flatMap(allOf)
    const union = divided.flat().flatMap(allOf)
    assert.deepEqual(inOrder(union), inOrder(all))
    looked += all.length
    const idle = divided.flat().reduce((sum, task) => sum + task.idle, 0)
    assert.equal(idle, options.idle ?? 0)
  }
  const agents = fc.integer({ min: 1, max: 7 })
  fc.assert(fc.property(plans, agents, check), { numRuns: short(400, 25) })
  assert.ok(looked > 200, `${looked} messages`)
})

test('a closed loop: agents share connections and count', () => {
  const closed = fc.record({ ...usual, count: fc.integer({ min: 1, max: 300 }) })
  fc.assert(
    fc.property(closed, fc.integer({ min: 1, max: 7 }), (options, agents) => {
      const divided = agentsOf({ ...options, engine: 'node' }, agents)
      fc.pre(divided !== undefined)
      const tasks = divided.flat()
      assert.equal(
        tasks.reduce((sum, { count }) => sum + count, 0),
        options.count,
      )
      const connections = tasks.flatMap(({ firstConnection, connectionStep, connections }) =>
        Array.from({ length: connections }, (_, n) => firstConnection + n * connectionStep),
      )
      assert.deepEqual(
        connections.toSorted((a, b) => a - b),
        Array.from({ length: options.connections }, (_, n) => n),
      )
    }),
    { numRuns: short(200, 25) },
  )
})

/** How long the server takes for a message, and how much later it was sent than planned. */
const responseNs = ({ text }: Sent) => 60_000 + (mix(mixed(text)) / 2 ** 32) ** 8 * 2e9
const latenessNs = ({ text }: Sent) => (mix(mixed(text) ^ 1) / 2 ** 32) * 3_000
const mixed = (text: string) => Buffer.from(text).reduce((sum, byte) => mix(sum ^ byte), 7)

function count(meter: Meter, sent: Sent): void {
  if (!sent.measured) return
  const { response, service, lateness } = meter.histograms
  response.record(responseNs(sent))
  service.record(responseNs(sent) - latenessNs(sent))
  lateness.record(latenessNs(sent))
  for (const name of ['messagesPlanned', 'messagesSent', 'messagesReceived'] as const)
    meter.counters[counter[name]]!++
}

/** Counts and buckets; sums are added in another order, so their last digits may differ. */
const saved = (snapshot: Snapshot) =>
  JSON.parse(
    JSON.stringify({ ...saveSnapshot(snapshot), atMs: 0 }, (key, value: unknown) =>
      key === 'sumNs' ? Math.round((value as number) / 1e3) : value,
    ),
  ) as unknown

const telling = fc.record({
  agents: fc.integer({ min: 1, max: 5 }),
  /** How large a message may be, which snapshots come, and which acknowledgements. */
  mostBytes: fc.constantFrom(800, 16_000),
  comes: fc.infiniteStream(fc.boolean()),
  known: fc.infiniteStream(fc.boolean()),
})

type TellingOf = typeof telling extends fc.Arbitrary<infer T> ? T : never

test('what agents tell is together what one machine counts, whatever is lost on the way', () => {
  const check = (options: BenchOptions, { agents, mostBytes, comes, known }: TellingOf) => {
    const divided = agentsOf(options, agents)
    fc.pre(divided !== undefined)
    const load = prepareBench(address, options)
    const whole = new Meter()
    const totals = new SnapshotSum()
    const merger = new Merger()
    for (const [n, tasks] of divided.entries()) {
      const member = new Member(
        { agent: `a${n}`, hello: { name: `a${n}` } as never },
        n + 1,
        totals,
      )
      const sent = tasks
        .flatMap(allOf)
        .filter(({ text }) => !text.startsWith('short'))
        .toSorted((a, b) => a.dueNs - b.dueNs)
      const meter = new Meter()
      let base: Snapshot | undefined
      let at = 0
      for (let [tick, over] = [0, false]; !over; tick++) {
        const untilNs = tickAt(tick, load.warmupMs, load.durationMs) * 1e6
        for (; at < sent.length && sent[at]!.dueNs <= untilNs; at++) {
          count(meter, sent[at]!)
          count(whole, sent[at]!)
        }
        over = at === sent.length
        const now = takeSnapshot([meter])
        // The last one comes, as its part does.
        if (over || comes.next().value) {
          const parts = splitChanges(changesSince(base, now), mostBytes).map(pack)
          const told = parts.map((bytes, piece) => ({ bytes, piece, pieces: parts.length }))
          const all = told
            .toReversed()
            .map(({ bytes, ...words }) => member.snapshot({ tick, ...words }, bytes))
          assert.ok(all.at(-1), 'the last piece makes it whole')
          if (known.next().value) base = now
        }
        member.countUpTo(tick)
      }
      assert.deepEqual(saved(member.counted.snapshot(0)), saved(takeSnapshot([meter])))
      const ended = { run: 'run', address, options: { ...options, agents }, load, startMs: 0 }
      const nothing = { members: [], intervals: undefined, brokerDownMs: undefined }
      merger.add(partOfLost(member, { ...ended, ...nothing })!, member.name)
    }
    const one = takeSnapshot([whole])
    assert.deepEqual(saved(totals.snapshot(0)), saved(one))
    const about = { noun: 'Agent' as const, row: () => ({}), broken: new Set<number>() }
    const result = merger.finish({ ...about, because: [], notes: [], advice: '' })
    assert.equal(result.messages.received, one.messagesReceived)
    for (const name of ['response', 'service', 'lateness'] as const) {
      const buckets: number[] = []
      one[name].forEach((_, each) => buckets.push(each))
      assert.deepEqual(
        result.histograms[`${name}Us`].map(([, each]) => each),
        buckets,
      )
    }
    assert.equal(result.run.parts!.length, agents)
  }
  fc.assert(fc.property(plans, telling, check), { numRuns: short(150, 8) })
})
