/** Latency under load: round trips while the path is idle, then while flows fill it. */
import { benchHere, type BenchOptions, type LoadRun } from '../../bench.ts'
import { loadedOptions, parseFilling } from '../../load/direction/loaded.ts'
import type { Filling, LoadedOptions } from '../../load/direction/loaded.ts'
import { takeSnapshot, type Snapshot } from '../../metrics/snapshot.ts'
import { validateOptions } from '../../options/form.ts'
import { parseLoadedObjective } from '../../report/direction/loaded-objective.ts'
import { loadedResult, type LoadedResult } from '../../report/direction/loaded.ts'
import { formatAddress, toAddress, type Address } from '../../vocabulary/address.ts'
import { sharedNowNs } from '../../vocabulary/clock.ts'
import { usageError, UserError } from '../../vocabulary/errors.ts'
import { machine, versions } from '../../vocabulary/machine.ts'
import { isDatagrams, transports } from '../../vocabulary/transport.ts'
import { reproduce } from '../reproduce.ts'
import { startProbes, type Probes } from './probes.ts'
import { measureDirection, type DirectionRun } from './run.ts'

/** Round trips per second: enough for a p99 in a few seconds, and too few to be a load. */
const usualRate = 100
/** The most round trips in flight: a full buffer delays them for seconds. */
const depth = 1_000
/**
 * HTTP/1.1 has one message in flight on a connection. There are enough connections for round trips
 * of this length. If they are longer, messages wait for a connection, and their times contain that
 * wait.
 */
const longestMs = 1_000
const httpRate = 20
const usualMs = 5_000
/**
 * How long the flows take to fill the buffers of the path: windows grow with the cube of the time.
 */
const usualWarmupMs = 10_000
const idleWarmupMs = 500

export type LoadedPhase = 'idle' | 'filling' | 'loaded'

export interface LoadedRun {
  readonly phase: LoadedPhase
  /** How much of the phase is over, from 0 to 1. */
  readonly share: number
  /** Snapshots so far: of the round trips of this phase, and of the flows since they began. */
  look(): { trips: Snapshot; flows: Snapshot }
  /** Calls the listener when another phase begins. */
  onPhase(listener: (phase: LoadedPhase) => void): void
  /**
   * Ends early. If the flows have filled the path by then, the result has the figures so far;
   * otherwise `finished` rejects.
   */
  stop(): void
  readonly finished: Promise<LoadedResult>
}

/**
 * Measures round trips while the path is idle, and again while it is filled.
 * @throws never: `finished` rejects with a UserError
 */
export function measureLoaded(address: string | Address, options: LoadedOptions): LoadedRun {
  const { durationMs = usualMs, warmupMs = usualWarmupMs } = options
  let phase: LoadedPhase = 'idle'
  let beganMs = performance.now()
  let run: LoadRun | undefined
  let flows: DirectionRun | undefined
  let probes: Probes | undefined
  let stopped: (() => void) | undefined
  const stop = new Promise<never>((_, reject) => {
    stopped = () => reject(new UserError('network', 'It was stopped before it was over.'))
  })
  stop.catch(() => {})
  const listeners: ((phase: LoadedPhase) => void)[] = []
  const enter = (next: LoadedPhase) => {
    phase = next
    beganMs = performance.now()
    for (const listener of listeners) listener(next)
  }
  const work = async () => {
    const wanted = wantedOf(toAddress(address), options, durationMs)
    const { target, filling, objectives, trips } = wanted
    const startedAt = new Date().toISOString()
    run = benchHere(target, { ...trips, warmupMs: Math.min(idleWarmupMs, warmupMs) })
    const idle = await Promise.race([run.finished, stop])
    enter('filling')
    const waiting = openTrips(target, trips)
    run = waiting.run
    await Promise.race([waiting.opened, run.finished, stop])
    flows = measureDirection(target, { ...flowOptionsOf(options, filling), warmupMs })
    await Promise.race([flows.ready, stop])
    await Promise.race([sleep(warmupMs), flows.finished, stop])
    waiting.begin()
    enter('loaded')
    probes = target.transport === 'https' ? await startProbes(target, options) : undefined
    const loaded = await Promise.race([run.finished, stop])
    // The flows go on until the last probe has its answer, so all probes meet a full path.
    const foreign = await probes?.end()
    flows.stop()
    const filled = await Promise.race([flows.finished, stop])
    const again = reproduce('bench', address, loadedOptions, options)
    const about = { durationMs, warmupMs, startedAt, reproduce: again }
    const conditions = { ...conditionsOf(wanted), ...about }
    return loadedResult(conditions, { idle, loaded, flows: filled }, objectives, foreign)
  }
  const finished = work().finally(() => {
    run?.stop('now')
    flows?.stop('now')
    void probes?.end()
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
    look: () => ({
      trips: run?.snapshot() ?? takeSnapshot([]),
      flows: flows?.snapshot() ?? takeSnapshot([]),
    }),
    onPhase: listener => void listeners.push(listener),
    stop: () => (phase === 'loaded' ? run!.stop() : stopped!()),
  }
}

/**
 * What to measure.
 * @throws UserError if that makes no sense
 */
function wantedOf(target: Address, options: LoadedOptions, durationMs: number) {
  validateOptions(loadedOptions, options)
  if (isDatagrams(target))
    throw usageError(
      'Flows of udp keep a rate, so they do not fill a path.',
      'Fill it over tcp: bench tcp://... --load both.',
    )
  const oneByOne = hasOneAtATime(target, options)
  const { load, expect = [], ratePerSecond = oneByOne ? httpRate : usualRate } = options
  const underWay = oneByOne
    ? { connections: Math.ceil((ratePerSecond * longestMs) / 1e3), depth: 1 }
    : { connections: 1, depth }
  return {
    target,
    ratePerSecond,
    filling: parseFilling(load ?? 'both'),
    objectives: expect.map(text => parseLoadedObjective(text, target.transport === 'https')),
    trips: { ...sameOf(options), ratePerSecond, ...underWay, durationMs },
  }
}

/**
 * Round trips whose connections are open before the first of them is sent: on a full path the
 * handshakes of many connections may take longer than the measurement.
 */
function openTrips(target: Address, trips: BenchOptions) {
  let begin = () => {}
  let opened = () => {}
  const beginning = new Promise<number>(resolve => (begin = () => resolve(sharedNowNs())))
  const whenOpened = new Promise<void>(resolve => (opened = resolve))
  const startAt = () => {
    opened()
    return beginning
  }
  const run = benchHere(target, { ...trips, warmupMs: 0 }, { startAt })
  return { run, opened: whenOpened, begin: () => begin() }
}

const conditionsOf = ({ target, filling, ratePerSecond }: ReturnType<typeof wantedOf>) => ({
  address: formatAddress(target),
  load: `${filling.direction}:${filling.flows}`,
  ratePerSecond,
  versions: versions(),
  machine: machine(),
})

const hasOneAtATime = ({ transport }: Address, { calling }: LoadedOptions): boolean =>
  transports[transport].protocol === 'http' && calling?.tls?.alpn?.[0] !== 'h2'

/** What both parts have in common; objectives are judged at the end. */
const sameOf = ({ sizeBytes, drainMs, timeoutMs, seed, calling }: LoadedOptions) => ({
  sizeBytes,
  drainMs,
  timeoutMs,
  seed,
  calling,
})

const flowOptionsOf = (
  { timeoutMs, drainMs, seed, calling }: LoadedOptions,
  { direction, flows: connections }: Filling,
) => ({ timeoutMs, drainMs, seed, calling, direction, connections, durationMs: Infinity })

const sleep = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))
