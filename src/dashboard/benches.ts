/** Loads that were started from the page or by `yodel ctl`: one at a time, the last ones kept. */
import { formatAddress, parseAddress } from '../vocabulary/address.ts'
import { bench, type LoadRun } from '../bench.ts'
import { compareRuns } from '../report/compare-runs.ts'
import { compareText } from '../report/compare-text.ts'
import type { RunResult } from '../report/result.ts'
import { formatCount, formatRate } from '../vocabulary/units.ts'
import type { BenchRun, BenchWanted } from './api.ts'
import type { OwnListener } from './faults.ts'
import { Refused } from './refused.ts'

const keptMax = 20
/** Limits, so that a page cannot load the machine for long. */
const connectionsMax = 1_000
const durationMaxMs = 300_000
const sizeMaxBytes = 1024 * 1024
const rateMax = 1_000_000
const durationDefaultMs = 5_000
const warmupMaxMs = 200

interface Kept {
  about: BenchRun
  run: LoadRun
  result: RunResult | undefined
}

export class Benches {
  readonly #kept = new Map<string, Kept>()
  readonly #own: readonly OwnListener[]
  readonly #anywhere: boolean
  readonly #onChange: (about: BenchRun) => void
  #nextId = 1

  /** @param own the listeners of the server itself */
  constructor(own: readonly OwnListener[], anywhere: boolean, onChange: (about: BenchRun) => void) {
    this.#own = own
    this.#anywhere = anywhere
    this.#onChange = onChange
  }

  /** Newest first. */
  list(): BenchRun[] {
    return Array.from(this.#kept.values(), ({ about }) => about).toReversed()
  }

  /**
   * @throws UserError if an option makes no sense
   * @throws Refused if one is running, or the address is not ours
   */
  start(wanted: BenchWanted): BenchRun {
    const address = formatAddress(parseAddress(wanted.address))
    const own = this.#own.find(({ server }) => server.url === address)
    if (!this.#anywhere && !own)
      throw new Refused(
        403,
        `${address} is none of this server's own addresses.`,
        'Start it with --dashboard-bench-anywhere to allow others.',
      )
    checkLimits(wanted)
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
      calling: own?.calling,
    }
    const given = Object.entries(options).filter(([, value]) => value !== undefined)
    const run = bench(address, Object.fromEntries(given))
    const about: BenchRun = {
      id: `${this.#nextId++}`,
      address,
      startedAt: Date.now(),
      state: 'running',
      error: null,
      achievedPerSecond: 0,
      p50Us: null,
      p99Us: null,
      received: 0,
      verdict: null,
      valid: null,
      options: { ...wanted, address, durationMs },
    }
    const kept: Kept = { about, run, result: undefined }
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
        this.#onChange(about)
      },
    )
    void this.#finish(kept)
    this.#onChange(about)
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
    this.#onChange(about)
  }

  /** Ends it early. */
  stop(id: string): void {
    this.#find(id).run.stop()
  }

  /** @throws Refused if there is none, or it has not finished */
  result(id: string): RunResult {
    const { result, about } = this.#find(id)
    if (result) return result
    const message = about.error ?? `Bench ${id} has not finished yet.`
    throw new Refused(about.state === 'failed' ? 404 : 409, message)
  }

  compare(a: string, b: string): string {
    const names = [`bench ${a}`, `bench ${b}`]
    return compareText(compareRuns([this.result(a), this.result(b)], names), {
      columns: 100,
      unicode: true,
    })
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

function checkLimits({ connections, durationMs, sizeBytes, ratePerSecond }: BenchWanted) {
  const limits: [string, number | undefined, number, string][] = [
    ['connections', connections, connectionsMax, formatCount(connectionsMax)],
    ['the duration', durationMs, durationMaxMs, '5m'],
    ['the size of a message', sizeBytes, sizeMaxBytes, '1 MiB'],
    ['the rate', ratePerSecond, rateMax, formatRate(rateMax)],
  ]
  for (const [name, value, most, mostText] of limits)
    if (value !== undefined && !(value > 0 && value <= most))
      throw new Refused(400, `A bench from here: ${name} must be more than 0, ${mostText} at most.`)
}
