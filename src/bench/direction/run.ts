/** Measures in one direction or in both: starts the flows, and sums up what they found. */
import { chooseEngine } from '../../engines/index.ts'
import type { ThreadFlowsResult } from '../../load/direction/thread-flows.ts'
import { datagramRate, directionOptions, singleSize } from '../../load/direction/options.ts'
import { takeSnapshot, type Snapshot } from '../../metrics/snapshot.ts'
import { validateOptions, resolve, type OptionsOf } from '../../options/form.ts'
import { askedFor, checkTransport } from '../../options/where.ts'
import { checkMeasured, parseDirectionObjective } from '../../report/direction/objective.ts'
import type { DirectionObjective } from '../../report/direction/objective.ts'
import { directionResult, type DirectionResult } from '../../report/direction/result.ts'
import { share, type FlowTask } from '../../task.ts'
import { startThreads, type Threads } from '../../threads/start.ts'
import { formatAddress, toAddress, type Address } from '../../vocabulary/address.ts'
import { usageError, UserError } from '../../vocabulary/errors.ts'
import { isDatagrams } from '../../vocabulary/transport.ts'
import { machine, versions } from '../../vocabulary/machine.ts'
import { checkCalling } from '../../wire/tls/credentials.ts'
import { reproduce } from '../reproduce.ts'

/**
 * What measureDirection() sends, and which way.
 * @interface
 */
export type DirectionOptions = OptionsOf<typeof directionOptions>

export interface DirectionRun {
  /** Resolves once the server has accepted every flow; rejects with a UserError if it does not. */
  readonly ready: Promise<Address>
  /** The lengths of the warm-up and of the window after it, once `ready`. */
  readonly window: { warmupMs: number; durationMs: number } | undefined
  snapshot(): Snapshot
  readonly stopping: boolean
  /** Ends sending, and waits for data that is under way; with `now` it does not wait. */
  stop(how?: 'drain' | 'now'): void
  /** Plain JSON. */
  readonly finished: Promise<DirectionResult>
}

const wholeMs = { bench: 10_000, flood: Infinity } as const
const usualWarmupMs = { bench: 1_000, flood: 0 } as const

/**
 * Sends the seeded payload up, down or both ways; whichever end receives verifies every byte.
 * @throws never: `ready` and `finished` reject with a UserError
 */
export function measureDirection(
  address: string | Address,
  options: DirectionOptions,
  command: 'bench' | 'flood' = 'bench',
): DirectionRun {
  let threads: Threads<ThreadFlowsResult> | undefined
  let stopped: 'drain' | 'now' | undefined
  let window: DirectionRun['window']
  const opening = new AbortController()
  const start = async () => {
    const target = toAddress(address)
    const { tasks, objectives } = tasksOf(target, options, command)
    const again = reproduce(command, address, directionOptions, options)
    const startedAt = new Date().toISOString()
    const started = await startThreads<ThreadFlowsResult>(tasks, undefined, {
      signal: opening.signal,
    })
    threads = started
    if (stopped) started.stop(stopped)
    const [{ engine, direction, warmupMs, durationMs, sizeBytes, seed }] = tasks
    window = { warmupMs, durationMs }
    const conditions = {
      command,
      address: formatAddress(started.address),
      engine,
      threads: tasks.length,
      direction,
      flows: tasks.reduce((sum, { flows }) => sum + flows, 0),
      sizeBytes,
      ratePerSecond: rateOf(tasks),
      warmupMs,
      durationMs: durationMs === Infinity ? null : durationMs,
      seed,
      reproduce: again,
      startedAt,
      versions: versions(),
      machine: machine(),
    }
    const finished = started.finished.then(threadResults =>
      directionResult(conditions, threadResults, objectives),
    )
    return { address: started.address, finished }
  }
  const begun = start()
  const ready = begun.then(({ address }) => address)
  const finished = begun.then(({ finished }) => finished)
  for (const promise of [ready, finished]) promise.catch(() => {})
  return {
    ready,
    finished,
    snapshot: () => threads?.snapshot() ?? takeSnapshot([]),
    get window() {
      return window
    },
    get stopping() {
      return stopped !== undefined
    },
    stop(how = 'drain') {
      stopped = how
      threads?.stop(how)
      if (how === 'now' && !threads)
        opening.abort(new UserError('network', 'It was stopped before it was connected.'))
    },
  }
}

const rateOf = (tasks: readonly FlowTask[]) =>
  tasks[0]!.ratePerSecond === undefined
    ? null
    : tasks.reduce((sum, { flows, ratePerSecond }) => sum + flows * ratePerSecond!, 0)

function tasksOf(
  address: Address,
  options: DirectionOptions,
  command: 'bench' | 'flood',
): { tasks: [FlowTask, ...FlowTask[]]; objectives: DirectionObjective[] } {
  validateOptions(directionOptions, options)
  const {
    durationMs = wholeMs[command],
    warmupMs = usualWarmupMs[command],
    direction,
    connections,
    ratePerSecond,
    threads: threadsWanted,
    engine,
    expect,
    ...rest
  } = resolve(directionOptions, options)
  if (direction === 'echo') throw usageError('An echo goes both ways: use bench without direction.')
  if (connections < 1) throw usageError('connections must be a whole number from 1 on.')
  const asked = askedFor(directionOptions, options)
  checkTransport(asked, address.transport, 'client')
  checkCalling(rest.calling)
  const objectives = expect.map(parseDirectionObjective)
  checkMeasured(objectives, direction, address)
  const rate = ratePerSecond ?? (isDatagrams(address) ? datagramRate : undefined)
  const threads = Math.min(threadsWanted, connections)
  const { sizeBytes: _, ...same } = rest
  const taskOf = (n: number): FlowTask => ({
    ...same,
    durationMs,
    warmupMs,
    kind: 'flow',
    engine: 'node',
    address,
    direction,
    sizeBytes: singleSize(address.transport, options.sizeBytes),
    flows: share(connections, threads, n),
    first: n,
    step: threads,
    ratePerSecond: rate === undefined ? undefined : rate / connections,
  })
  const others = Array.from({ length: threads - 1 }, (_, n) => taskOf(n + 1))
  const tasks: [FlowTask, ...FlowTask[]] = [taskOf(0), ...others]
  chooseEngine(engine === 'auto' ? 'node' : engine, tasks[0], asked)
  return { tasks, objectives }
}
