/** A load that runs: started, watched second by second, summed up. */
import { formatAddress, toOwnAddress, type Address } from '../vocabulary/address.ts'
import { sharedOffsetNs, wallOffsetMs } from '../vocabulary/clock.ts'
import type { ThreadResult } from '../load/thread-result.ts'
import { parseSlice } from '../load/part.ts'
import type { Load } from '../load/thread-load.ts'
import { windowOf, type Window } from '../load/replies.ts'
import { stagesOf } from '../load/stages.ts'
import { parseInstant } from '../vocabulary/instant.ts'
import { machine, versions } from '../vocabulary/machine.ts'
import { saveHistogram, type SavedHistogram } from '../metrics/saved.ts'
import { takeSnapshot, type Snapshot } from '../metrics/snapshot.ts'
import type { Table } from '../options/form.ts'
import { timerMaxMs } from '../vocabulary/units.ts'
import { callingOf } from '../report/same-load.ts'
import { resultOf, type Gathered } from '../report/gathered.ts'
import { parseObjective } from '../report/objective.ts'
import { partFrom, resultOfPart, withStartError } from '../report/part-section.ts'
import type { Interval, RunConditions, RunResult } from '../report/result.ts'
import { UserError } from '../vocabulary/errors.ts'
import { failureNames, type FailureName } from '../metrics/meter.ts'
import { startThreads, type Threads } from '../threads/start.ts'
import { tasksOf } from './tasks.ts'
import { reproduce } from './reproduce.ts'
import { Seconds } from './seconds.ts'
import { sharedCore } from './shared-core.ts'
import { StageMarks } from './stage-marks.ts'

export interface LoadRun {
  /**
   * Resolves with the address once all are connected; rejects with a UserError if no server
   * answers.
   */
  readonly ready: Promise<Address>
  /** What happened so far, warm-up included; all zero before it is ready. */
  snapshot(): Snapshot
  /** The complete seconds without the warm-up; a shorter remainder has joined the last one. */
  readonly intervals: readonly Interval[]
  /**
   * Calls the listener for each complete second: up to a second later, because a remainder may
   * still join it. A flood does so, too, although it keeps no seconds. The last call comes before
   * `finished` resolves.
   */
  onInterval(listener: (interval: Interval) => void): void
  /** Whether stop() was called. */
  readonly stopping: boolean
  /**
   * Ends sending, and waits for missing echoes; with `now` it does not wait. A run that is not
   * ready yet rejects `ready` and `finished`.
   */
  stop(how?: 'drain' | 'now'): void
  /** Resolves when all connections are closed; rejects as `ready` does. Plain JSON. */
  readonly finished: Promise<RunResult>
}

/** For loads that begin at one instant on several machines. */
export interface StartHooks {
  /**
   * Called once all connections are open. Resolves with the start, on the clock that threads share.
   */
  startAt?: () => Promise<number>
  /** Called as soon as it is known when sending begins. */
  onStart?: (startNs: number) => void
}

/**
 * @param rows the rows of the options, for the command that repeats the run
 * @param prepare checks the options; its error rejects the run
 */
export function startLoad(
  command: 'bench' | 'flood',
  address: string | Address,
  rows: Table,
  options: object,
  prepare: () => Load,
  hooks: StartHooks = {},
): LoadRun {
  const run = new Run(command, hooks)
  const opening = (async () => {
    const load = prepare()
    load.expect.forEach(parseObjective)
    const again = reproduce(command, address, rows, options)
    return run.open(load, toOwnAddress(address), again)
  })()
  const finished = opening.then(() => run.finished)
  // A caller may await only one of the two promises. The rejection of the other must not count as
  // unhandled.
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

/** How far in the future the start is, so that each thread knows it in time. */
const leadMs = (threads: number): number => 5 + threads * 0.2

class Run {
  readonly intervals: Interval[] = []
  readonly listeners: ((interval: Interval) => void)[] = []
  stopped: 'drain' | 'now' | undefined
  finished!: Promise<RunResult>
  readonly #command: 'bench' | 'flood'
  readonly #hooks: StartHooks
  readonly #opening = new AbortController()
  #threads: Threads | undefined
  #timer: NodeJS.Timeout | undefined
  #seconds!: Seconds
  #stages: StageMarks | undefined
  /** The response times of each interval, if this is a slice. */
  readonly #responses: SavedHistogram[] = []
  /**
   * Whether the run ends after a duration. Otherwise it ends when `#count` messages were planned.
   */
  #timed = false
  #count = Infinity

  constructor(command: 'bench' | 'flood', hooks: StartHooks) {
    this.#command = command
    this.#hooks = hooks
  }

  async open(load: Load, address: Address, command: string): Promise<Address> {
    const planned = tasksOf(load, address)
    const { tasks, reason } = planned
    const shared = sharedCore(address)
    const startAtMs = load.startAt === undefined ? undefined : parseInstant(load.startAt)
    const threads = await startThreads(tasks, undefined, {
      signal: this.#opening.signal,
      leadMs: leadMs(tasks.length),
      startAt: this.#hooks.startAt,
      ...(startAtMs !== undefined && { startAtMs }),
    })
    this.#threads = threads
    this.#hooks.onStart?.(threads.startNs)
    const startMs = (threads.startNs - sharedOffsetNs()) / 1e6
    const startedMs = startMs + wallOffsetMs()
    if (this.stopped) threads.stop(this.stopped)
    const { warmupMs } = load
    this.#seconds = new Seconds(load.durationMs, (make, response) => {
      if (load.slice !== undefined) this.#responses.push(saveHistogram(response()))
      this.#tell(make)
    })
    const stages = stagesOf(load)
    if (stages) this.#stages = new StageMarks(stages, () => this.snapshot())
    this.#timed = load.count === Infinity
    this.#count = planned.count
    if (warmupMs === 0) this.#measure(startMs)
    else {
      const untilMs = startMs + warmupMs - performance.now()
      const begin = () => this.#measure(startMs + warmupMs)
      this.#timer = setTimeout(begin, Math.min(untilMs, timerMaxMs))
    }
    const conditions: RunConditions = {
      command: this.#command,
      address: formatAddress(threads.address),
      engine: tasks[0].engine,
      threads: tasks.length,
      ...optionsOf(load),
      reproduce: command,
      startedAt: new Date(startedMs).toISOString(),
      versions: versions(),
      machine: { ...machine(), ...(shared !== undefined && { sharedCore: shared }) },
    }
    this.finished = threads.finished.then(threadResults => {
      const gathered = this.#gather(threadResults, startMs + warmupMs)
      const notes = reason === undefined ? [] : [`The ${tasks[0].engine} engine sent. ${reason}`]
      const startErrorMs = startAtMs === undefined ? null : Math.max(0, startedMs - startAtMs)
      const make = () => {
        if (load.slice === undefined) return resultOf(gathered, conditions, load.expect, notes)
        const { connections } = planned
        const calling = callingOf(load.calling)
        const about = { connections, startedMs, startErrorMs, calling, expect: load.expect }
        const slice = parseSlice(load.slice)
        const part = partFrom(slice, about, gathered, this.#responses, threads.startNs)
        return resultOfPart(part, gathered, conditions, notes)
      }
      return withStartError(make(), startErrorMs)
    })
    this.finished.catch(() => {})
    return threads.address
  }

  /** All threads have ended. @param measureMs when the warm-up was over */
  #gather(threadResults: readonly ThreadResult[], measureMs: number): Gathered {
    clearTimeout(this.#timer)
    const total = this.snapshot()
    // A short run may be over before this thread has noticed the end of the warm-up.
    if (!this.#seconds.begun && total.messagesPlanned > 0)
      this.#seconds.begin(beginning(Math.min(total.atMs, measureMs)))
    const window = windowOf(threadResults.map(({ log }) => log))
    if (this.#seconds.begun) this.#seconds.end(total, endOf(total, threadResults, window))
    return { total, threadResults, intervals: this.intervals, stages: this.#stages?.end(total) }
  }

  snapshot(): Snapshot {
    return this.#threads?.snapshot() ?? takeSnapshot([])
  }

  stop(how: 'drain' | 'now' = 'drain'): void {
    this.stopped = how
    this.#threads?.stop(how)
    // Without this, connecting could go on until its timeout.
    if (how === 'now' && !this.#threads) this.#opening.abort(stoppedEarly())
  }

  /**
   * Begins the series of seconds. The warm-up was over at the instant `atMs`, which may be past.
   */
  #measure(atMs: number) {
    const from = { ...beginning(atMs), ...failuresOf(this.snapshot()) }
    this.#seconds.begin(from)
    this.#stages?.begin(from)
    const wait = (nowMs: number) => (this.#timer = setTimeout(look, this.#seconds.restMs(nowMs)))
    const look = () => {
      const now = this.snapshot()
      const isOver = this.stopped !== undefined || now.messagesPlanned >= this.#count
      this.#seconds.take(now, this.#timed && !isOver, isOver)
      wait(now.atMs)
    }
    wait(performance.now())
  }

  #tell(make: () => Interval) {
    // A flood may run for ever, so it keeps no seconds: their number would have no bound.
    const kept = this.#command !== 'flood'
    if (!kept && this.listeners.length === 0) return
    const interval = make()
    if (kept) this.intervals.push(interval)
    for (const listener of this.listeners) listener(interval)
  }
}

/**
 * The snapshot to subtract from the counters of the window. Its counters are 0, since messages and
 * bytes of the warm-up have counters of their own. Failures of the warm-up have no separate
 * counter, so #measure() puts the failures so far into this snapshot.
 */
const beginning = (atMs: number): Snapshot => ({ ...takeSnapshot([]), atMs })

const stoppedEarly = () => new UserError('network', 'It was stopped before it was connected.')

/**
 * The end of the window or the last reply, whichever is later. Infinity if there were failures or
 * short connections: then this instant is not the end of the run.
 */
function endOf(
  total: Snapshot,
  threadResults: readonly ThreadResult[],
  { seconds }: Window,
): number {
  const failed = failureNames.some(name => total[name] > 0)
  if (failed || total.churnPlanned > 0) return Infinity
  const lastNs = threadResults.map(({ log }) => log.fromNs + Math.max(log.lastNs, seconds * 1e9))
  const agoNs = Number(process.hrtime.bigint()) - Math.max(...lastNs)
  return performance.now() - agoNs / 1e6
}

const failuresOf = (now: Snapshot) =>
  Object.fromEntries(failureNames.map(name => [name, now[name]])) as Record<FailureName, number>

/** The options as JSON has them: Infinity becomes null. */
export function optionsOf(load: Load): Pick<RunConditions, 'seed' | 'options'> {
  const { payload: _payload, calling: _calling, ...rest } = load
  const { seed, expect: _expect, ...options } = rest
  return { seed, options: JSON.parse(JSON.stringify(options)) as Record<string, unknown> }
}
