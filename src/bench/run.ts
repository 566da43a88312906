/** A load that is under way: started, watched second by second, summed up. */
import { formatAddress, type Address } from '../address.ts'
import { machine, versions } from '../machine.ts'
import { since, takeSnapshot, type Snapshot } from '../metrics/snapshot.ts'
import { timerMaxMs } from '../options.ts'
import { meets, parseObjective } from '../report/objective.ts'
import type { Interval, RunConditions, RunResult } from '../report/result.ts'
import { distribution, summarize, withVerdict, type Findings } from '../report/summarize.ts'
import { failureNames } from '../metrics/meter.ts'
import { startThreads, type Threads } from '../threads/start.ts'
import { isDatagrams } from '../transport.ts'
import { plan, type Load } from './plan.ts'
import { reproduce } from './reproduce.ts'

export interface LoadRun {
  /** Resolves when all are connected, with whom; rejects with a UserError if nobody answers. */
  readonly ready: Promise<Address>
  /** What happened so far, warm-up included; all zero before it is ready. */
  snapshot(): Snapshot
  /** The seconds that are complete, the warm-up left out. */
  readonly intervals: readonly Interval[]
  /**
   * Calls for each second once it is complete, in a flood too, which keeps none. The last one comes
   * before `finished` resolves.
   */
  onInterval(listener: (interval: Interval) => void): void
  /** It was told to stop. */
  readonly stopping: boolean
  /** Sends nothing more, waits for what is under way; with `now` does not wait. */
  stop(how?: 'drain' | 'now'): void
  /** Resolves when all connections are closed; rejects as `ready` does. Plain JSON. */
  readonly finished: Promise<RunResult>
}

const intervalMs = 1_000

/**
 * @param defaults of the options, for the command to do it again
 * @param prepare checks the options; what it throws rejects the run
 */
export function startLoad(
  command: 'bench' | 'flood',
  address: string | Address,
  options: object,
  defaults: Record<string, unknown>,
  prepare: () => Load,
): LoadRun {
  const run = new Run(command)
  const opening = (async () => {
    const load = prepare()
    load.expect.forEach(parseObjective)
    return run.open(load, reproduce(command, address, options, defaults))
  })()
  const finished = opening.then(() => run.finished)
  // Whoever awaits one of the two hears of it; the other is not unhandled then.
  for (const promise of [opening, finished]) promise.catch(() => {})
  return {
    ready: opening,
    finished,
    intervals: run.intervals,
    onInterval: listener => void run.listeners.push(listener),
    get stopping() {
      return run.stopped !== undefined
    },
    snapshot: () => run.snapshot(),
    stop: how => run.stop(how),
  }
}

class Run {
  readonly intervals: Interval[] = []
  readonly listeners: ((interval: Interval) => void)[] = []
  stopped: 'drain' | 'now' | undefined
  finished!: Promise<RunResult>
  readonly #command: 'bench' | 'flood'
  #threads: Threads | undefined
  #timer: NodeJS.Timeout | undefined
  /** At the end of the warm-up, and at the last full second. */
  #warm = takeSnapshot([])
  #last = this.#warm
  #measuring = false
  #durationMs = Infinity

  constructor(command: 'bench' | 'flood') {
    this.#command = command
  }

  async open(load: Load, command: string): Promise<Address> {
    const { tasks, reason } = plan(load)
    const threads = await startThreads(tasks)
    this.#threads = threads
    const startedAt = new Date().toISOString()
    if (this.stopped) threads.stop(this.stopped)
    const { warmupMs, durationMs } = load
    this.#warm = this.#last = { ...this.#warm, atMs: performance.now() }
    if (warmupMs === 0) this.#watch(durationMs)
    else this.#timer = setTimeout(() => this.#measure(durationMs), Math.min(warmupMs, timerMaxMs))
    const { payload: _payload, address: _address, calling: _calling, ...rest } = load
    const { seed, expect: _expect, ...options } = rest
    const conditions: RunConditions = {
      command: this.#command,
      address: formatAddress(threads.address),
      engine: tasks[0].engine,
      threads: tasks.length,
      seed,
      // As JSON has it: what is unlimited is null.
      options: JSON.parse(JSON.stringify(options)) as Record<string, unknown>,
      reproduce: command,
      startedAt,
      versions: versions(),
      machine: machine(),
    }
    this.finished = threads.finished.then(outcomes => {
      clearTimeout(this.#timer)
      const total = this.snapshot()
      // A short run may be over before this thread has noticed the end of the warm-up.
      if (this.#measuring || total.messagesPlanned > 0) this.#endInterval(total)
      const wrongs = outcomes.map(({ wrong }) => wrong).filter(wrong => wrong !== undefined)
      const result = summarize({
        total,
        measuredMs: Math.max(0, ...outcomes.map(({ measuredMs }) => measuredMs)),
        // Wrong bytes tell more than bytes that did not come.
        wrong: wrongs.find(({ received }) => received.length > 0) ?? wrongs[0],
        intervals: this.intervals,
        // The busiest thread is the limit.
        cpuShare: outcomes.reduce<number | null>(
          (most, { busyShare }) => (busyShare === null ? most : Math.max(most ?? 0, busyShare)),
          null,
        ),
        openLoop: load.ratePerSecond !== undefined,
        churning: load.churnPerSecond > 0,
        countingCorruption: load.countCorruption,
        datagrams: isDatagrams(load.address),
        lossLimited: load.expect.some(limitsLoss),
        conditions,
      } satisfies Findings)
      if (reason !== undefined) result.notes.push(`The ${tasks[0].engine} engine sent. ${reason}`)
      return judge(result, load.expect)
    })
    this.finished.catch(() => {})
    return threads.address
  }

  snapshot(): Snapshot {
    return this.#threads?.snapshot() ?? takeSnapshot([])
  }

  stop(how: 'drain' | 'now' = 'drain'): void {
    this.stopped = how
    this.#threads?.stop(how)
  }

  /** The warm-up is over. */
  #measure(durationMs: number) {
    // What is counted by message leaves the warm-up out by its plan; the rest does by the clock.
    const now = this.snapshot()
    const { atMs, bytesIn } = now
    const failed = Object.fromEntries(failureNames.map(name => [name, now[name]]))
    this.#warm = this.#last = { ...this.#warm, ...failed, atMs, bytesIn }
    this.#watch(durationMs)
  }

  /** From now on second by second. */
  #watch(durationMs: number) {
    this.#measuring = true
    this.#durationMs = durationMs
    const tick = () => {
      const now = this.snapshot()
      this.#endInterval(now)
      const elapsedMs = now.atMs - this.#warm.atMs
      // From the start, not from the last tick: it does not drift.
      const nextMs = (Math.floor(elapsedMs / intervalMs + 0.01) + 1) * intervalMs
      const untilMs = elapsedMs < durationMs ? Math.min(nextMs, durationMs) : nextMs
      this.#timer = setTimeout(tick, Math.max(1, untilMs - elapsedMs))
    }
    this.#timer = setTimeout(tick, Math.min(intervalMs, durationMs))
  }

  #endInterval(now: Snapshot) {
    const second = (this.#last.atMs - this.#warm.atMs) / 1e3
    const happened = since(this.#last, now)
    this.#last = now
    const { messagesSent: sent, messagesReceived: received, atMs, bytesIn } = happened
    // A flood has no end, and what it would keep neither.
    const kept = this.#command !== 'flood'
    if (!kept && this.listeners.length === 0) return
    const errors = failureNames.reduce((sum, name) => sum + happened[name], 0)
    // Waiting for what never comes is no second of the run.
    const over = second * 1e3 >= this.#durationMs || atMs < intervalMs / 2
    if (sent === 0 && received === 0 && errors === 0 && over) return
    const interval: Interval = {
      second,
      seconds: atMs / 1e3,
      sent,
      received,
      bytesReceived: bytesIn,
      errors,
      ratePerSecond: received / (atMs / 1e3),
      responseUs: distribution(happened.response),
    }
    if (kept) this.intervals.push(interval)
    for (const listener of this.listeners) listener(interval)
  }
}

/** Whoever says how much may be lost has the last word on it. */
const limitsLoss = (text: string): boolean =>
  ['loss', 'lost'].includes(parseObjective(text).metric.name)

/** The objectives are part of the verdict. */
function judge(result: RunResult, objectives: string[]): RunResult {
  const expectations = objectives.map(text => meets(parseObjective(text), result))
  const missed = expectations
    .filter(({ held }) => !held)
    .map(({ objective, measured, measuredText }) =>
      measured === null
        ? `Expected ${objective}, ${measuredText}.`
        : `Expected ${objective}, measured ${measuredText}.`,
    )
  const failedBecause = [...result.failedBecause, ...missed]
  return withVerdict({ ...result, expectations, failedBecause })
}
