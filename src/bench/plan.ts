/** From options to tasks: each thread has its share of connections, messages and rate. */
import type { Address } from '../address.ts'
import type { BenchOptions } from '../bench.ts'
import { chooseEngine } from '../engines/index.ts'
import { checkCalling } from '../engines/tls-options.ts'
import type { Pace } from '../load/pacer.ts'
import type { PayloadSpec } from '../load/payload.ts'
import type { SizeRange } from '../load/sizes.ts'
import { share, type LoadTask } from '../task.ts'

type Optional = 'ratePerSecond' | 'sizeBytes'

/** All options of a load, checked: those of the library, with what is sent worked out. */
export interface Load extends Required<Omit<BenchOptions, Optional>> {
  address: Address
  payload: PayloadSpec
  sizes: SizeRange[]
  ratePerSecond?: number
}

/** @throws UserError if the wanted engine refuses */
export function plan(load: Load): { tasks: [LoadTask, ...LoadTask[]]; reason?: string } {
  const { arrivals, depth, durationMs, warmupMs, drainMs, timeoutMs, seed } = load
  checkCalling(load.address, load.calling)
  const busy = load.churnPerSecond > 0 ? load.threads : 1
  const threads = Math.min(load.threads, Math.max(busy, load.connections, load.idle))
  // Whoever sends more of the messages per second sends more of them in all.
  const messagesUpTo = (connections: number) =>
    Math.round((load.count * connections) / load.connections)
  let first = 0
  const task = (n: number): LoadTask => {
    const connections = share(load.connections, threads, n)
    const count =
      load.count === Infinity ? Infinity : messagesUpTo(first + connections) - messagesUpTo(first)
    first += connections
    const part = load.connections > 0 ? connections / load.connections : 0
    return {
      kind: 'load',
      engine: 'node',
      address: load.address,
      calling: load.calling,
      payload: load.payload,
      sizes: load.sizes,
      seed,
      connections,
      // Threads take turns, so that all together send nearly as evenly as each.
      firstConnection: n,
      connectionStep: threads,
      depth,
      pace: pace(load.ratePerSecond, part, connections, n, seed),
      arrivals,
      churn: pace(load.churnPerSecond || undefined, 1 / threads, 1, n, seed + 1000),
      idle: share(load.idle, threads, n),
      count,
      warmupMs,
      durationMs,
      drainMs,
      timeoutMs,
      countCorruption: load.countCorruption,
    }
  }
  const tasks = Array.from({ length: threads }, (_, n) => task(n)) as [LoadTask, ...LoadTask[]]
  const { engine, reason } = chooseEngine(load.engine, tasks[0])
  for (const each of tasks) each.engine = engine
  return { tasks, ...(reason !== undefined && { reason }) }
}

/** A part of a rate; the n-th thread's messages lie between those of the others. */
function pace(
  rate: number | undefined,
  part: number,
  connections: number,
  n: number,
  seed: number,
): Pace | undefined {
  if (rate === undefined || part === 0) return undefined
  return { ratePerSecond: rate * part, connections, offsetNs: (n * 1e9) / rate, seed: seed + n }
}
