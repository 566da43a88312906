/** Loads that were started from the page or by `yodel ctl`: one at a time, the last ones kept. */
import { formatAddress, parseAddress } from '../vocabulary/address.ts'
import { benchHere, type LoadRun } from '../bench.ts'
import { compareRuns, type RunComparison } from '../report/compare-runs.ts'
import type { RunResult } from '../report/result.ts'
import type { BenchRun, BenchWanted } from './api.ts'
import type { OwnListener } from './faults.ts'
import type { PlaceNow } from './queue.ts'
import { Refused } from './refused.ts'

const keptMax = 20
const durationDefaultMs = 5_000
const warmupMaxMs = 200

interface Kept {
  about: BenchRun
  run: LoadRun
  result: RunResult | undefined
  /** The place in the queue of its first connection. */
  turn: PlaceNow
}

export interface BenchesOptions {
  /** Whether benches may load other addresses than those of the listeners. */
  anywhere: boolean
  /** Where a client would wait for the listener with this index. */
  queueAt: (listener: number) => Promise<PlaceNow>
  onChange: (about: BenchRun) => void
}

export class Benches {
  readonly #kept = new Map<string, Kept>()
  readonly #own: readonly OwnListener[]
  readonly #options: BenchesOptions
  #nextId = 1

  /** @param own the listeners of the server itself */
  constructor(own: readonly OwnListener[], options: BenchesOptions) {
    this.#own = own
    this.#options = options
  }

  /** Newest first. */
  list(): BenchRun[] {
    return Array.from(this.#kept.values(), ({ about }) => about).toReversed()
  }

  /**
   * @throws UserError if an option makes no sense
   * @throws Refused if one is running, or the address is not ours
   */
  async start(wanted: BenchWanted): Promise<BenchRun> {
    const address = formatAddress(parseAddress(wanted.address))
    const index = this.#own.findIndex(({ server }) => server.url === address)
    if (!this.#options.anywhere && index < 0)
      throw new Refused(
        403,
        `${address} is none of this server's own addresses.`,
        'Start it with --dashboard-bench-anywhere to allow others.',
      )
    const turn = index < 0 ? () => null : await this.#options.queueAt(index)
    const running = this.list().find(({ state }) => state === 'running')
    if (running)
      throw new Refused(409, `Bench ${running.id} is running.`, 'Wait for it, or end it.')
    const { connections, sizeBytes, ratePerSecond, durationMs = durationDefaultMs } = wanted
    const warmupMs = Math.min(warmupMaxMs, durationMs / 5)
    const options = {
      connections,
      sizeBytes,
      ratePerSecond,
      durationMs,
      warmupMs,
      calling: this.#own[index]?.calling,
    }
    const given = Object.entries(options).filter(([, value]) => value !== undefined)
    const run = benchHere(address, Object.fromEntries(given))
    const about: BenchRun = {
      id: `${this.#nextId++}`,
      address,
      startedAt: Date.now(),
      state: 'running',
      error: null,
      achievedPerSecond: 0,
      waiting: turn(),
      p50Us: null,
      p99Us: null,
      received: 0,
      verdict: null,
      valid: null,
      options: { ...wanted, address, durationMs },
    }
    const kept: Kept = { about, run, result: undefined, turn }
    this.#kept.set(about.id, kept)
    for (const [id] of [...this.#kept].slice(0, -keptMax)) this.#kept.delete(id)
    run.onInterval(
      ({ ratePerSecond: achievedPerSecond, received, responseUs: { p50: p50Us, p99: p99Us } }) => {
        Object.assign(about, {
          achievedPerSecond,
          p50Us,
          p99Us,
          received: about.received + received,
        })
        if (about.received > 0) kept.turn = () => null
        this.#options.onChange(about)
      },
    )
    void this.#finish(kept)
    this.#options.onChange(about)
    return about
  }

  async #finish(kept: Kept) {
    const { about, run } = kept
    try {
      const result = await run.finished
      kept.result = result
      const { rates, verdict, valid, messages, responseUs } = result
      const { achievedPerSecond } = rates
      const { p50: p50Us, p99: p99Us } = responseUs
      const { received } = messages
      const state = 'finished'
      Object.assign(about, { state, achievedPerSecond, verdict, valid, received, p50Us, p99Us })
    } catch (error) {
      about.state = 'failed'
      about.error = (error as Error).message
    }
    about.waiting = null
    this.#options.onChange(about)
  }

  /**
   * Called once a second: reports the place of a run that waits, since such a run has no intervals.
   */
  look(): void {
    for (const { about, turn } of this.#kept.values()) {
      if (about.state !== 'running') continue
      const before = about.waiting
      about.waiting = turn()
      if (before !== null || about.waiting !== null) this.#options.onChange(about)
    }
  }

  /** Ends a run early. */
  stop(id: string): void {
    this.#find(id).run.stop()
  }

  /** @throws Refused if there is no such run, or it has not finished */
  result(id: string): RunResult {
    const { result, about } = this.#find(id)
    if (result) return result
    const message = about.error ?? `Bench ${id} has not finished yet.`
    throw new Refused(about.state === 'failed' ? 404 : 409, message)
  }

  compare(a: string, b: string): RunComparison {
    return compareRuns([this.result(a), this.result(b)], [`bench ${a}`, `bench ${b}`])
  }

  #find(id: string): Kept {
    const kept = this.#kept.get(id)
    if (!kept) throw new Refused(404, `There is no bench ${id}.`, `The last ${keptMax} are kept.`)
    return kept
  }

  async close(): Promise<void> {
    const running = [...this.#kept.values()].filter(({ about }) => about.state === 'running')
    for (const { run } of running) run.stop('now')
    await Promise.allSettled(running.map(({ run }) => run.finished))
  }
}
