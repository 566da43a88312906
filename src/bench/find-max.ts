/** findMaxHere(address): the highest rate at which an objective holds, by open-loop probes. */
import type { Address } from '../vocabulary/address.ts'
import { benchHere, benchDefaults, type BenchOptions, type LoadRun } from '../bench.ts'
import { usageError, UserError } from '../vocabulary/errors.ts'
import { findMaxFormat, type FindMaxResult, type Probe } from '../report/find-max.ts'
import { benchOptions, searchOptions, type SearchOptions } from '../load/options.ts'
import { validateOptions } from '../options/form.ts'
import { askedFor } from '../options/where.ts'
import { parseObjective } from '../report/objective.ts'
import type { RunConditions, RunResult } from '../report/result.ts'
import { shortfall } from '../report/reasons.ts'
import { idleMaxMs, Idleness } from './idle-server.ts'
import { refuseSlices } from './validate.ts'
import { searchHighest, type ProbeOutcome } from './search.ts'

export type { FindMaxResult, Probe } from '../report/find-max.ts'

export interface FindMaxOptions extends BenchOptions, SearchOptions {
  objective: string
  /** The first rate to try; without it, a quarter of what a closed loop reaches. */
  from?: number
  /** How long each probe measures, after its warm-up; `durationMs` says the same. */
  probeMs?: number
  /** Called after each probe. */
  onProbe?: (probe: Probe) => void
}

export interface FindMaxRun {
  /**
   * Rejects with a UserError if no server answers at the start, or an option makes no sense. If the
   * server goes away later, the result says so. Plain JSON.
   */
  readonly finished: Promise<FindMaxResult>
  /** Whether the first probe has reached the server. Before that nothing can be found. */
  readonly connected: boolean
  /** Ends with what was found so far. */
  stop(): void
}

const precisionUsual = searchOptions.precision.default
const probeDefaultMs = 3_000
/** How long the closed loop of the estimate lasts at most. */
const estimateMaxMs = 1_000
const firstShare = 1 / 4
/** The fewest messages of a probe; the percentile of an objective may need more. */
const fewestMessages = 10
const fastest = 1e9
/** A probe waits at least this long for the last replies. */
const drainLeastMs = 250
/** A failure at a rate of up to this factor above the closed loop may be noise. */
const plausibleShare = 1.1

/** @param run makes a run of the search */
export function findMaxHere(
  address: string | Address,
  options: FindMaxOptions,
  run: RunOnce = benchHere,
): FindMaxRun {
  const search = new Search(address, options, run)
  // The search starts in a later turn, so that a mistake in the options also rejects the promise.
  const finished = Promise.resolve().then(() => search.run())
  finished.catch(() => {})
  return {
    finished,
    get connected() {
      return search.connected
    },
    stop: () => search.stop(),
  }
}

type RunOnce = (address: string | Address, options: BenchOptions) => LoadRun

class Search {
  connected = false
  readonly #run: RunOnce
  readonly #address: string | Address
  readonly #options: FindMaxOptions
  readonly #probes: Probe[] = []
  #load: BenchOptions = {}
  #running: LoadRun | undefined
  #stopped = false
  /** Why it could not go on. */
  #stoppedBecause: string | null = null
  #idleness: Idleness | undefined
  /** How long an echo took just before a probe, if the server was not idle again. */
  #echoUs: number | undefined
  /** The rate of the closed loop. */
  #estimate = 0
  /**
   * The conditions of the highest rate that held: each rate that holds is higher than those before.
   */
  #best: RunConditions | null = null

  constructor(address: string | Address, options: FindMaxOptions, run: RunOnce) {
    this.#run = run
    this.#address = address
    this.#options = options
  }

  async run(): Promise<FindMaxResult> {
    refuseSlices(this.#options)
    const { objective, from, precision = precisionUsual } = this.#options
    this.#load = probeOptions(this.#options)
    if (this.#load.connections !== 0) {
      const bench = (options: BenchOptions) => this.#bench(options)
      this.#idleness = new Idleness(bench, this.#load, () => this.#stopped)
      await this.#idleness.begin()
    }
    await this.#estimateRate()
    const found = await searchHighest(rate => this.#probeOrEnd(rate), {
      first: Math.min(Math.max(this.#slowest, from ?? this.#estimate * firstShare), fastest),
      slowest: this.#slowest,
      fastest,
      precision,
      plausible: this.#estimate * plausibleShare,
    })
    return {
      format: findMaxFormat,
      objective,
      ratePerSecond: found.held,
      failedPerSecond: found.failed === Infinity ? null : found.failed,
      precision,
      limitedByGenerator: found.limited,
      stopped: this.#stopped || this.#stoppedBecause !== null,
      stoppedBecause: this.#stoppedBecause,
      closedLoopPerSecond: this.#estimate,
      probes: this.#probes,
      run: this.#best,
    }
  }

  stop(): void {
    this.#stopped = true
    this.#running?.stop('now')
  }

  get #slowest(): number {
    const { durationMs, expect } = this.#load
    const fewest = expect!.map(text => parseObjective(text).metric.fewest)
    return (Math.max(fewestMessages, ...fewest) * 1e3) / durationMs!
  }

  /**
   * Measures a closed loop over the same connections: its rate is near the highest that they can
   * carry.
   */
  async #estimateRate() {
    const durationMs = Math.min(estimateMaxMs, this.#load.durationMs!)
    // The messages of the estimate must be back before the first probe.
    const drainMs = Math.max(this.#load.drainMs!, idleMaxMs)
    const arrivals = this.#load.churnPerSecond ? this.#load.arrivals : 'even'
    const closed = { ...this.#load, durationMs, drainMs, expect: [] }
    const result = await this.#bench(arrivals ? { ...closed, arrivals } : closed)
    this.#estimate = result ? carriedPerSecond(result) : 0
    await this.#unlessItEnds(() => this.#waitUntilIdle())
  }

  async #waitUntilIdle() {
    this.#echoUs = await this.#idleness?.wait()
  }

  /** What was found so far stays known if the server or an agent goes away now. */
  async #unlessItEnds<T>(step: () => Promise<T>): Promise<T | undefined> {
    if (this.#stoppedBecause !== null) return undefined
    try {
      return await step()
    } catch (error) {
      if (!(error instanceof UserError) || error.kind === 'usage') throw error
      // The hint of the error is for a server that was never reached, so it is left out.
      this.#stoppedBecause = error.message
      return undefined
    }
  }

  #probeOrEnd(ratePerSecond: number): Promise<ProbeOutcome> {
    return this.#unlessItEnds(() => this.#probe(ratePerSecond))
  }

  /** Makes a run at that rate. */
  async #probe(ratePerSecond: number): Promise<ProbeOutcome> {
    const echoUs = this.#echoUs
    const result = await this.#bench({ ...this.#load, ratePerSecond })
    if (!result) return undefined
    const { valid, failedBecause, invalidBecause, responseUs, messages, rates } = result
    const short = shortfall(result)
    // With an objective on the rate, a missed plan is not a failure by itself.
    const because =
      short && !failedBecause.includes(short) ? [...failedBecause, short] : failedBecause
    const probe: Probe = {
      ratePerSecond,
      held: because.length === 0 && result.expectations.every(({ held }) => held),
      measuredText: result.expectations.at(-1)!.measuredText,
      valid,
      because: [...because, ...invalidBecause],
      // Only runs with a count can have an unknown rate (null).
      achievedPerSecond: rates.achievedPerSecond ?? 0,
      p50Us: responseUs.p50,
      p99Us: responseUs.p99,
      lost: messages.lost,
      ...(echoUs !== undefined && { echoUs }),
    }
    this.#probes.push(probe)
    this.#options.onProbe?.(probe)
    if (!probe.held) {
      await this.#waitUntilIdle()
      return valid ? 'failed' : 'limited'
    }
    this.#best = result.run
    return 'held'
  }

  /** Makes a run; undefined if it was stopped, since it then says nothing. */
  async #bench(options: BenchOptions): Promise<RunResult | undefined> {
    if (this.#stopped) return undefined
    this.#running = this.#run(this.#address, options)
    this.#running.ready.then(
      () => (this.connected = true),
      () => {},
    )
    const result = await this.#running.finished.catch((error: unknown) => {
      // A run that is stopped while it connects rejects.
      if (this.#stopped) return undefined
      throw error
    })
    return this.#stopped ? undefined : result
  }
}

/**
 * The fewest round trips in a window. With fewer, the rate depends on where the window begins and
 * ends.
 */
const roundTripsLeast = 10

/**
 * The rate of a closed loop. If round trips are long, replies come in bursts, and few fit into the
 * window. Then the rate is computed by Little's law, from the number of messages in flight and the
 * mean round trip.
 */
function carriedPerSecond({ rates, responseUs, messages, seconds, run }: RunResult): number {
  const meanSeconds = (responseUs.mean ?? 0) / 1e6
  const { connections, depth } = run.options as { connections: number; depth: number }
  const isWhole = messages.received > 0 && messages.received === messages.planned
  if (isWhole && seconds < roundTripsLeast * meanSeconds) return (connections * depth) / meanSeconds
  return rates.achievedPerSecond ?? 0
}

/** The options that all probes have in common. */
function probeOptions(options: FindMaxOptions): BenchOptions {
  const { objective, precision, from, probeMs, onProbe: _, ...load } = options
  const durationMs = probeMs ?? load.durationMs ?? probeDefaultMs
  const limitMs = limitMsOf(objective)
  validateOptions(searchOptions, { precision })
  if (from !== undefined && !(from > 0 && from <= fastest))
    throw usageError('The first rate must be more than 0, and at most 1G/s.')
  for (const { notInSearch } of askedFor(benchOptions, load))
    if (notInSearch) throw usageError(...notInSearch)
  if (!Number.isFinite(durationMs)) throw usageError('A probe needs a duration.')
  return {
    ...load,
    durationMs,
    warmupMs: load.warmupMs ?? Math.min(benchDefaults.warmupMs, Math.round(durationMs / 3)),
    drainMs: load.drainMs ?? Math.max(drainLeastMs, 2 * limitMs),
    expect: [...(load.expect ?? []), objective],
  }
}

/** The time in an objective, 0 if it has none. Refuses objectives that a search cannot use. */
function limitMsOf(text: string): number {
  const { metric, operator, limit } = parseObjective(text)
  const upwards = operator === '<' || operator === '<=' || (operator === '=' && limit === 0)
  if (metric.kind === 'rate' || !upwards)
    throw usageError(
      `'${text}' does not get harder to meet at a higher rate.`,
      "Write for example 'p99<5ms', 'p99.9<=20ms' or 'lost=0'.",
    )
  return metric.kind === 'time' ? limit / 1e3 : 0
}
