/** bench(address), flood(address): load, verified and measured. They differ in what they send. */
import { toAddress, type Address } from './address.ts'
import { chooseEngine, type WantedEngine } from './engines/index.ts'
import type { WrongBytes } from './load/payload.ts'
import { usageError } from './errors.ts'
import type { PayloadSpec } from './load/payload.ts'
import { since, takeSnapshot, type Snapshot } from './metrics/snapshot.ts'
import { timerMaxMs, withDefaults } from './options.ts'
import { share, type LoadTask } from './task.ts'
import { startThreads } from './threads/start.ts'

export interface LoadOptions {
  /** Connections that are kept open. */
  connections?: number
  /** Closed loop: messages in flight on each connection. */
  depth?: number
  /** Open loop: messages per second, over all connections. Round trips count from the plan. */
  ratePerSecond?: number
  /** Stop after so many messages. */
  count?: number
  /** Stop after so long. */
  durationMs?: number
  /** How long to wait at the end for what is still in flight. */
  drainMs?: number
  engine?: WantedEngine
  threads?: number
}

export interface FloodOptions extends LoadOptions {
  /** Sent again and again. */
  message?: Uint8Array | string
}

export interface BenchOptions extends LoadOptions {
  /** Bytes in a message. */
  sizeBytes?: number
  /** Decides the payload. */
  seed?: number
  /** Left out of the result. */
  warmupMs?: number
}

const loadDefaults = {
  connections: 1,
  depth: 1,
  count: Infinity,
  durationMs: Infinity,
  drainMs: 1_000,
  engine: 'auto',
  threads: 1,
} satisfies LoadOptions

/** The one place of these defaults. */
export const floodDefaults = { ...loadDefaults, message: 'Hello!\n' } satisfies FloodOptions
export const benchDefaults = {
  ...loadDefaults,
  connections: 10,
  durationMs: 10_000,
  warmupMs: 1_000,
  sizeBytes: 64,
  seed: 1,
} satisfies BenchOptions

export interface LoadRun {
  readonly address: Address
  /** What happened so far, warm-up included. */
  snapshot(): Snapshot
  /** Sends nothing more, waits for what is in flight; with `now` does not wait. */
  stop(how?: 'drain' | 'now'): void
  /** Resolves when all connections are closed. */
  readonly finished: Promise<LoadResult>
}

export interface LoadResult {
  /** Every byte that was sent came back, right and in time, and no connection failed. */
  ok: boolean
  /** What happened, without the warm-up; its `atMs` is how long it took. */
  measured: Snapshot
  /** Messages that were sent and did not come back. */
  lost: number
  /** The first wrong bytes, if any came. */
  wrong: WrongBytes | undefined
}

/**
 * Sends the same message for ever, or until a limit is reached. Resolves once it is connected.
 * @throws UserError if nobody answers, or an option makes no sense
 */
export async function flood(
  address: string | Address,
  options: FloodOptions = {},
): Promise<LoadRun> {
  const { message, ...load } = withDefaults(floodDefaults, options)
  const bytes = typeof message === 'string' ? Buffer.from(message) : message
  if (bytes.length === 0) throw usageError('The message is empty: nothing would come back.')
  return startLoad(toAddress(address), { kind: 'repeat', message: bytes }, load, 0)
}

/**
 * Measures rate and round trips of an echo server. Resolves once it is connected.
 * @throws UserError if nobody answers, or an option makes no sense
 */
export async function bench(
  address: string | Address,
  options: BenchOptions = {},
): Promise<LoadRun> {
  const { sizeBytes, seed, warmupMs, ...load } = withDefaults(benchDefaults, options)
  checkWhole({ sizeBytes })
  return startLoad(toAddress(address), { kind: 'seeded', seed, sizeBytes }, load, warmupMs)
}

type Load = Required<Omit<LoadOptions, 'ratePerSecond'>> & { ratePerSecond?: number }

async function startLoad(address: Address, payload: PayloadSpec, load: Load, warmupMs: number) {
  check(load)
  const threads = await startThreads(plan(address, payload, load, warmupMs))
  // A snapshot of nothing: all zero, and when it began.
  let before = takeSnapshot([])
  const warm = setTimeout(
    () => {
      if (warmupMs > 0) before = threads.snapshot()
    },
    Math.min(warmupMs, timerMaxMs),
  )
  const finished = threads.finished.then(({ wrong }): LoadResult => {
    clearTimeout(warm)
    const total = threads.snapshot()
    const failures = total.closedEarly + total.reset + total.wrongBytes + total.timedOut
    const lost = total.messagesSent - total.messagesReceived
    return { ok: failures + total.other + lost === 0, measured: since(before, total), lost, wrong }
  })
  return {
    address: threads.address,
    snapshot: threads.snapshot,
    stop: (how: 'drain' | 'now' = 'drain') => threads.stop(how),
    finished,
  }
}

/** Each thread has its share of connections, messages and rate. */
function plan(address: Address, payload: PayloadSpec, load: Load, warmupMs: number) {
  const { engine: wanted, threads: threadsWanted, ratePerSecond, ...rest } = load
  const task: LoadTask = {
    kind: 'load',
    engine: 'node',
    address,
    payload,
    firstConnection: 0,
    ...rest,
    durationMs: rest.durationMs + warmupMs,
  }
  task.engine = chooseEngine(wanted, task).engine
  const count = Math.min(threadsWanted, load.connections)
  let firstConnection = 0
  const tasks = Array.from({ length: count }, (_, n): LoadTask => {
    const connections = share(load.connections, count, n)
    const mine = { ...task, connections, firstConnection, count: share(load.count, count, n) }
    firstConnection += connections
    if (ratePerSecond === undefined) return mine
    return { ...mine, ratePerSecond: (ratePerSecond * connections) / load.connections }
  })
  return tasks as [LoadTask, ...LoadTask[]]
}

function checkWhole(numbers: Record<string, number>) {
  for (const [name, value] of Object.entries(numbers))
    if (!Number.isInteger(value) || value < 1)
      throw usageError(`${name} must be a whole number from 1 on.`)
}

function check({ connections, depth, count, durationMs, ratePerSecond, threads }: Load) {
  checkWhole({ connections, depth, threads, ...(count !== Infinity && { count }) })
  if (!(durationMs > 0)) throw usageError('The duration must be more than 0.')
  if (ratePerSecond !== undefined && !(ratePerSecond > 0 && ratePerSecond <= 1e9))
    throw usageError('The rate must be more than 0, and at most 1G/s.')
}
