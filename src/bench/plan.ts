/** From options to tasks: each thread has its part of one plan, which does not know of threads. */
import type { Address } from '../vocabulary/address.ts'
import { chooseEngine } from '../engines/index.ts'
import { checkCalling } from '../wire/tls/credentials.ts'
import { counted, shareOf } from '../load/counted.ts'
import { benchOptions } from '../load/options.ts'
import { partOf, sizeOf } from '../load/part.ts'
import type { Load } from '../load/plan.ts'
import { parseStages, warmedUp } from '../load/stages.ts'
import { askedFor, checkTransport } from '../options/where.ts'
import type { LoadTask } from '../task.ts'
import { checkDescriptors } from './descriptors.ts'

/** @throws UserError if the wanted engine refuses */
export function plan(
  load: Load,
  address: Address,
): { tasks: [LoadTask, ...LoadTask[]]; reason?: string } {
  const { threads: wanted, engine: wantedEngine, expect: _, ...same } = load
  const { ratePerSecond, churnPerSecond, stages: stagesText, ...options } = same
  const asked = askedFor(benchOptions, load)
  checkTransport(asked, address.transport, 'client')
  checkCalling(load.calling)
  const busy = churnPerSecond > 0 ? wanted : 1
  const threads = Math.min(wanted, Math.max(busy, load.connections, load.idle))
  const { connections, count, seed, arrivals, warmupMs } = load
  const isOpen = ratePerSecond !== undefined && connections > 0
  const stages = stagesText === undefined ? undefined : warmedUp(parseStages(stagesText), warmupMs)
  const pace = isOpen ? { ratePerSecond, stages, connections, seed } : undefined
  const wantsCount = count !== Infinity && connections > 0
  const messages = pace && wantsCount ? counted(arrivals, pace, warmupMs, count) : undefined
  const task = (n: number): LoadTask => {
    const part = partOf(n, threads)
    const own = sizeOf(part, connections)
    return {
      ...options,
      kind: 'load',
      engine: 'node',
      address,
      connections: own,
      idle: sizeOf(part, load.idle),
      count: !wantsCount ? count : (messages?.of(part) ?? shareOf(part, connections, count)),
      countedNs: messages && { from: messages.fromNs, until: messages.untilNs },
      firstConnection: part.first,
      connectionStep: part.step,
      pace: own > 0 ? pace : undefined,
      churn: churnPerSecond > 0 ? { ratePerSecond: churnPerSecond, seed: seed + 1000 } : undefined,
    }
  }
  const tasks = Array.from({ length: threads }, (_, n) => task(n)) as [LoadTask, ...LoadTask[]]
  const { engine, reason } = chooseEngine(wantedEngine, tasks[0], asked)
  for (const each of tasks) each.engine = engine
  checkDescriptors(tasks)
  return { tasks, ...(reason !== undefined && { reason }) }
}
