/**
 * Makes tasks from options: each thread gets a part of one plan, however many threads there are.
 */
import type { Address } from '../vocabulary/address.ts'
import { chooseEngine } from '../engines/index.ts'
import { checkCalling } from '../wire/tls/credentials.ts'
import { counted, shareOf } from '../load/counted.ts'
import { benchOptions } from '../load/options.ts'
import { partOf, partOfSlice, sizeOf } from '../load/part.ts'
import type { Load } from '../load/thread-load.ts'
import { pacedStages } from '../load/stages.ts'
import { askedFor, checkTransport } from '../options/where.ts'
import type { LoadTask } from '../task.ts'
import { usageError } from '../vocabulary/errors.ts'
import { plural } from '../vocabulary/units.ts'
import { checkDescriptors } from './enough-descriptors.ts'

export interface LoadTasks {
  tasks: [LoadTask, ...LoadTask[]]
  /** Why the preferred engine was not taken. */
  reason?: string
  /** The connections of all tasks; fewer than those of the whole load, if this is a slice. */
  connections: number
  count: number
}

/** @throws UserError if the wanted engine refuses */
export function tasksOf(load: Load, address: Address): LoadTasks {
  const { threads: wanted, engine: wantedEngine, expect: _, ...same } = load
  const { ratePerSecond, churnPerSecond, stages: _stages, slice: sliceText, ...rest } = same
  const { startAt: _startAt, agents: _agents, ...options } = rest
  const asked = askedFor(benchOptions, load)
  checkTransport(asked, address.transport, 'client')
  checkCalling(load.calling)
  const busy = churnPerSecond > 0 ? wanted : 1
  const { connections, count, seed, arrivals, warmupMs } = load
  const slice = partOfSlice(sliceText)
  const ownConnections = sizeOf(slice, connections)
  const threads = Math.min(wanted, Math.max(busy, ownConnections, sizeOf(slice, load.idle)))
  const isOpen = ratePerSecond !== undefined && connections > 0
  const stages = pacedStages(load)
  const pace = isOpen ? { ratePerSecond, stages, connections, seed } : undefined
  const wantsCount = count !== Infinity && connections > 0
  const messages = pace && wantsCount ? counted(arrivals, pace, warmupMs, count) : undefined
  const task = (n: number): LoadTask => {
    const part = partOf(n, threads, slice)
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
  const ownCount = tasks.reduce((sum, task) => sum + task.count, 0)
  if (sliceText !== undefined && connections > 0 && (ownConnections === 0 || ownCount === 0)) {
    const counts = ownConnections === 0 ? '' : ` and a count of ${count}`
    throw usageError(
      `Slice ${sliceText} has nothing to send: the whole load has ` +
        `${plural(connections, 'connection')}${counts}.`,
      'Use fewer slices.',
    )
  }
  const { engine, reason } = chooseEngine(wantedEngine, tasks[0], asked)
  for (const each of tasks) each.engine = engine
  checkDescriptors(tasks)
  const own = { connections: ownConnections, count: ownCount }
  return { tasks, ...own, ...(reason !== undefined && { reason }) }
}
