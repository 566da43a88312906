/** Latency under load: round trips while the path is idle, then while flows fill it. */
import { bench, type LoadRun } from '../../bench.ts'
import { loadedOptions, parseFilling } from '../../load/direction/loaded.ts'
import type { Filling, LoadedOptions } from '../../load/direction/loaded.ts'
import { checkOptions } from '../../options/form.ts'
import { parseLoadedObjective } from '../../report/direction/loaded-objective.ts'
import { loadedResult, type LoadedResult } from '../../report/direction/loaded.ts'
import { formatAddress, toAddress, type Address } from '../../vocabulary/address.ts'
import { usageError, UserError } from '../../vocabulary/errors.ts'
import { machine, versions } from '../../vocabulary/machine.ts'
import { isDatagrams } from '../../vocabulary/transport.ts'
import { reproduce } from '../reproduce.ts'
import { measureDirection, type DirectionRun } from './run.ts'

/** Round trips a second: enough for a p99 in a few seconds, too few to be a load. */
const usualRate = 100
/** More than that are never under way: a full buffer holds seconds. */
const depth = 1_000
const usualMs = 5_000
/** Until the flows have filled what buffers there are: windows grow with the cube of the time. */
const usualWarmupMs = 10_000
const idleWarmupMs = 500

export type LoadedPhase = 'idle' | 'filling' | 'loaded'

export interface LoadedRun {
  readonly phase: LoadedPhase
  /** How much of the phase is over, 0 to 1. */
  readonly share: number
  /** Ends at once; then `finished` rejects. */
  stop(): void
  readonly finished: Promise<LoadedResult>
}

/** @throws never: `finished` rejects with a UserError */
export function measureLoaded(address: string | Address, options: LoadedOptions): LoadedRun {
  const { durationMs = usualMs, warmupMs = usualWarmupMs } = options
  let phase: LoadedPhase = 'idle'
  let beganMs = performance.now()
  let run: LoadRun | undefined
  let flows: DirectionRun | undefined
  let stopped: (() => void) | undefined
  const stop = new Promise<never>((_, reject) => {
    stopped = () => reject(new UserError('network', 'It was stopped before it was over.'))
  })
  stop.catch(() => {})
  const enter = (next: LoadedPhase) => {
    phase = next
    beganMs = performance.now()
  }
  const work = async () => {
    checkOptions(loadedOptions, options)
    const target = toAddress(address)
    if (isDatagrams(target))
      throw usageError(
        'Flows of udp keep a rate, so they do not fill a path.',
        'Fill it over tcp: bench tcp://... --load both.',
      )
    const { load, expect = [], ratePerSecond = usualRate } = options
    const same = sameOf(options)
    const objectives = expect.map(parseLoadedObjective)
    const filling = parseFilling(load ?? 'both')
    const startedAt = new Date().toISOString()
    const trips = { ...same, ratePerSecond, connections: 1, depth, durationMs }
    run = bench(target, { ...trips, warmupMs: Math.min(idleWarmupMs, warmupMs) })
    const idle = await Promise.race([run.finished, stop])
    enter('filling')
    flows = measureDirection(target, {
      ...flowOptionsOf(options),
      direction: filling.direction,
      connections: filling.flows,
      durationMs: Infinity,
      warmupMs,
    })
    await Promise.race([flows.ready, stop])
    await Promise.race([sleep(warmupMs), flows.finished, stop])
    enter('loaded')
    run = bench(target, { ...trips, warmupMs: 0 })
    const loaded = await Promise.race([run.finished, stop])
    flows.stop()
    const filled = await Promise.race([flows.finished, stop])
    const about = { durationMs, warmupMs, ratePerSecond, startedAt }
    const again = reproduce('bench', address, loadedOptions, options)
    const conditions = { ...conditionsOf(target, filling), ...about, reproduce: again }
    return loadedResult(conditions, { idle, loaded, flows: filled }, objectives)
  }
  const finished = work().finally(() => {
    run?.stop('now')
    flows?.stop('now')
  })
  finished.catch(() => {})
  return {
    finished,
    get phase() {
      return phase
    },
    get share() {
      const wholeMs = phase === 'filling' ? warmupMs : durationMs
      return Math.min(1, (performance.now() - beganMs) / Math.max(1, wholeMs))
    },
    stop: () => stopped!(),
  }
}

const conditionsOf = (target: Address, { direction, flows }: Filling) => ({
  address: formatAddress(target),
  load: `${direction}:${flows}`,
  versions: versions(),
  machine: machine(),
})

/** Of both parts; what is expected is judged at the end. */
const sameOf = ({ sizeBytes, drainMs, timeoutMs, seed, calling }: LoadedOptions) => ({
  sizeBytes,
  drainMs,
  timeoutMs,
  seed,
  calling,
})

const flowOptionsOf = ({ timeoutMs, drainMs, seed, calling }: LoadedOptions) => ({
  timeoutMs,
  drainMs,
  seed,
  calling,
})

const sleep = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))
