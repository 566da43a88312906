/** Whether a server is idle again: whether an echo takes about as long as it did at first. */
import type { BenchOptions } from '../load/options.ts'
import type { RunResult } from '../report/result.ts'

/** How long to wait at most until the server is idle. */
export const idleMaxMs = 10_000
/**
 * How much slower an echo of an idle server may be than at first: a factor, and a time that a busy
 * machine may add.
 */
const nearFactor = 3
const nearUs = 2_000
/**
 * How many echoes are taken, one after the other. The quickest counts: the first may have to wait.
 */
const echoes = 3

/**
 * Options for one connection that sends a few messages one by one, over the same route as the load.
 */
function fewEchoes(load: BenchOptions, timeoutMs: number): BenchOptions {
  const { durationMs: _, ratePerSecond: __, ...rest } = load
  return {
    ...rest,
    arrivals: 'even',
    connections: 1,
    depth: 1,
    threads: 1,
    idle: 0,
    churnPerSecond: 0,
    count: echoes,
    warmupMs: 0,
    drainMs: timeoutMs,
    timeoutMs,
    expect: [],
  }
}

export class Idleness {
  readonly #bench: (options: BenchOptions) => Promise<RunResult | undefined>
  readonly #load: BenchOptions
  readonly #stopped: () => boolean
  /** The quickest echo before there was any load; null if none came back. */
  #firstUs: number | null = null

  constructor(
    bench: (options: BenchOptions) => Promise<RunResult | undefined>,
    load: BenchOptions,
    stopped: () => boolean,
  ) {
    this.#bench = bench
    this.#stopped = stopped
    this.#load = load
  }

  async begin(): Promise<void> {
    this.#firstUs = await this.#echoUs(idleMaxMs)
  }

  /**
   * Waits until the server is idle. Returns undefined if it is, otherwise how long an echo still
   * took, in microseconds.
   */
  async wait(): Promise<number | undefined> {
    const first = this.#firstUs
    if (first === null) return undefined
    const untilMs = performance.now() + idleMaxMs
    // After a stop the echoes mean nothing.
    while (!this.#stopped()) {
      const beganMs = performance.now()
      const us = await this.#echoUs(Math.max(1, untilMs - beganMs))
      if (us !== null && us <= nearFactor * first + nearUs) return undefined
      if (performance.now() >= untilMs) return us ?? (performance.now() - beganMs) * 1e3
    }
    return undefined
  }

  /** How long the quickest of a few echoes took; null if none came back, or after a stop. */
  async #echoUs(timeoutMs: number): Promise<number | null> {
    const result = await this.#bench(fewEchoes(this.#load, Math.ceil(timeoutMs)))
    return result?.responseUs.min ?? null
  }
}
