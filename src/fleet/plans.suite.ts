/** What agents and one machine send by random plans, without sending it. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { tasksOf as threadTasksOf } from '../bench/tasks.ts'
import { prepareBench, type BenchOptions } from '../bench.ts'
import { createChurnPlan } from '../load/churn-plan.ts'
import { createPayload, type Payload } from '../load/payload.ts'
import type { Load } from '../load/thread-load.ts'
import { createSizes } from '../load/sizes.ts'
import { Timetable, type Planned } from '../load/timetable.ts'
import { Meter } from '../metrics/meter.ts'
import type { LoadTask } from '../task.ts'
import { toAddress } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import type { Assignment } from './messages.ts'
import { optionsOfAssignment, sentOptions } from './assignment.ts'
import { checkPlan } from './recruit.ts'
import { unseal, seal } from './sealed.ts'

export const address = toAddress('tcp://127.0.0.1:9')

/** A message, or a short connection. */
export interface Sent {
  dueNs: number
  measured: boolean
  /** Connection, number, size, offset, and where its payload begins. */
  text: string
}

const payloads = new Map<number, Payload>()
function payloadOf({ payload, seed }: LoadTask): Payload {
  const known = payloads.get(seed) ?? createPayload(payload)
  payloads.set(seed, known)
  return known
}

/** The plan of a thread, taken as its loop takes it, at the very instants. */
class Thread extends Timetable<Planned> {
  readonly sent: Sent[] = []
  readonly streams: Planned[]

  constructor(task: LoadTask) {
    super(task, new Meter())
    const sizes = createSizes(task.sizes, task.seed)
    const payload = payloadOf(task)
    this.streams = Array.from({ length: task.connections }, (_, index) => {
      const connection = task.firstConnection + index * task.connectionStep
      let [n, offset, previousNs] = [0, 0, 0]
      const stream: Planned = {
        index,
        connection,
        plan: (count, measured) => {
          assert.equal(count, 1)
          const dueNs = this.plannedNs(stream, n, previousNs)
          const sizeBytes = sizes.of(connection, n)
          const at = payload.at(connection, offset)
          const text = [connection, n, sizeBytes, offset, at].join(' ')
          this.sent.push({ dueNs, measured, text })
          n++
          offset += sizeBytes
          previousNs = dueNs
          return true
        },
      }
      return stream
    })
  }

  all(): Sent[] {
    this.start(0)
    if (this.openLoop) for (let now = 0; !this.over; now = this.nextNs) this.plan(now, () => {})
    return [...this.sent, ...this.#short()]
  }

  #short(): Sent[] {
    const { arrivals, churn, warmupMs, durationMs, firstConnection, connectionStep } = this.task
    if (!churn || durationMs === Infinity) return []
    const plan = createChurnPlan(arrivals, churn, { first: firstConnection, step: connectionStep })
    const all: Sent[] = []
    while (plan.nextNs < (warmupMs + durationMs) * 1e6) {
      const dueNs = plan.nextNs
      all.push({ dueNs, measured: dueNs >= warmupMs * 1e6, text: `short ${plan.take()}` })
    }
    return all
  }
}

export const allOf = (task: LoadTask): Sent[] => new Thread(task).all()
export const tasksOf = (load: Load): LoadTask[] => threadTasksOf(load, address).tasks
/** What an agent that has read its assignment is to send. */
function agentLoad(options: BenchOptions, number: number, of: number): Load {
  const words = { kind: 'assignment', number, of, address, options: sentOptions(options) }
  const sealed = seal('secret', 'topic', words)
  const assignment = unseal<Assignment>('secret', 'topic', sealed)!.words
  const slice = `${assignment.number}/${assignment.of}`
  return prepareBench(assignment.address, { ...optionsOfAssignment(assignment), slice })
}

/** Few seeds: their payloads are kept. */
const seeds = { seed: fc.integer({ min: 1, max: 9 }), threads: fc.integer({ min: 1, max: 3 }) }
const sizes = fc.constantFrom(64, [
  { minBytes: 1, maxBytes: 9_000, weight: 1 },
  { minBytes: 64, maxBytes: 64, weight: 9 },
])
export const usual = {
  ...seeds,
  connections: fc.integer({ min: 1, max: 12 }),
  sizeBytes: sizes,
  depth: fc.integer({ min: 1, max: 50 }),
  idle: fc.nat(4),
  arrivals: fc.constantFrom('even' as const, 'poisson' as const),
}
const ratePerSecond = fc.double({ min: 40, max: 20_000, noNaN: true })
const timed = fc
  .record({ ...usual, ratePerSecond, share: fc.integer({ min: 1, max: 200 }), warmup: fc.nat(50) })
  .map(({ share, warmup, ...rest }) => ({
    ...rest,
    durationMs: Math.max(1, (share * 1e3) / rest.ratePerSecond),
    warmupMs: (warmup * 1e3) / rest.ratePerSecond,
  }))
const counted = fc.record({
  ...usual,
  ratePerSecond,
  count: fc.integer({ min: 1, max: 200 }),
  // A thread that has nothing of a count sends nothing in the warm-up either.
  warmupMs: fc.constant(0),
})
const staged = fc.record({
  ...usual,
  stages: fc.constantFrom('0..500/s over 300ms', '100/s for 1s, 0 over 1s, 0 for 1s, 50/s for 1s'),
})
const churning = fc.record({
  ...seeds,
  connections: fc.nat(2),
  ratePerSecond: fc.constant(100),
  churnPerSecond: fc.double({ min: 1, max: 500, noNaN: true }),
  arrivals: usual.arrivals,
  durationMs: fc.constantFrom(300, 2_500),
  warmupMs: fc.constantFrom(0, 100),
})
export const plans: fc.Arbitrary<BenchOptions> = fc
  .oneof(timed, counted, staged, churning)
  .map(options => ({ ...options, engine: 'node' as const }))

/** Undefined if such a load is refused: an agent would have nothing to send. */
export function agentsOf(options: BenchOptions, agents: number): LoadTask[][] | undefined {
  try {
    checkPlan(address, { ...options, agents })
    return Array.from({ length: agents }, (_, n) => tasksOf(agentLoad(options, n + 1, agents)))
  } catch (error) {
    if (error instanceof UserError) return undefined
    throw error
  }
}
