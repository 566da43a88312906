/** From options to tasks: each thread has its share of connections, messages and rate. */
import type { Address } from '../vocabulary/address.ts'
import { chooseEngine } from '../engines/index.ts'
import { checkCalling } from '../wire/tls/credentials.ts'
import { benchOptions } from '../load/options.ts'
import type { Pace } from '../load/pacer.ts'
import type { Load } from '../load/plan.ts'
import { askedFor, checkTransport } from '../options/where.ts'
import { share, type LoadTask } from '../task.ts'
import { checkDescriptors } from './descriptors.ts'

/** @throws UserError if the wanted engine refuses */
export function plan(
  load: Load,
  address: Address,
): { tasks: [LoadTask, ...LoadTask[]]; reason?: string } {
  const { threads: wanted, engine: wantedEngine, expect: _, ...same } = load
  const { ratePerSecond, churnPerSecond, ...options } = same
  const asked = askedFor(benchOptions, load)
  checkTransport(asked, address.transport, 'client')
  checkCalling(load.calling)
  const busy = churnPerSecond > 0 ? wanted : 1
  const threads = Math.min(wanted, Math.max(busy, load.connections, load.idle))
  // A thread that sends more of the messages per second sends more of them in all.
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
      ...options,
      kind: 'load',
      engine: 'node',
      address,
      connections,
      idle: share(load.idle, threads, n),
      count,
      // Threads take turns, so that all together send nearly as evenly as each.
      firstConnection: n,
      connectionStep: threads,
      pace: pace(ratePerSecond, part, connections, n, load.seed),
      churn: pace(churnPerSecond || undefined, 1 / threads, 1, n, load.seed + 1000),
    }
  }
  const tasks = Array.from({ length: threads }, (_, n) => task(n)) as [LoadTask, ...LoadTask[]]
  const { engine, reason } = chooseEngine(wantedEngine, tasks[0], asked)
  for (const each of tasks) each.engine = engine
  checkDescriptors(tasks)
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
