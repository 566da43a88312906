/** Spawns threads, waits until they are ready, reads their meters, stops them. */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Address } from '../vocabulary/address.ts'
import type { AnyThreadResult, ThreadResult } from '../engines/engine.ts'
import { engines } from '../engines/index.ts'
import { UserError } from '../vocabulary/errors.ts'
import type { FaultSpec } from '../faults/index.ts'
import { sharedNowNs, sharedOffsetNs, wallOffsetMs } from '../vocabulary/clock.ts'
import { Meter, type Stop } from '../metrics/meter.ts'
import { takeCounts, takeSnapshot, type Counts, type Snapshot } from '../metrics/snapshot.ts'
import type { Task } from '../task.ts'
import type { FaultRecord } from './fault-feed.ts'
import type { FromThread, ThreadInput, ToThread } from './messages.ts'

export interface Threads<O extends AnyThreadResult = ThreadResult> {
  readonly address: Address
  /** When all threads began or will begin, in nanoseconds on the clock that they share. */
  readonly startNs: number
  /**
   * Resolves when all threads have ended, with the findings of loads; rejects on a defect of yodel.
   */
  readonly finished: Promise<O[]>
  readonly snapshot: () => Snapshot
  readonly counts: () => Counts
  readonly stop: (how: Stop) => void
  /** Resolves when the faults are in force, or when the threads have ended. */
  readonly setFaults: (faults: readonly FaultSpec[]) => Promise<void>
}

/**
 * Gets records of faults, in batches; `lost`: how many records were dropped because there was no
 * room.
 */
export type OnFaults = (records: readonly FaultRecord[], lost: number) => void

export interface StartOptions {
  /** If it is aborted before all threads are ready, they end and startThreads() rejects. */
  signal?: AbortSignal
  /** Threads begin this long after all are ready, so that each knows the instant in advance. */
  leadMs?: number
  /** The earliest start, in milliseconds since 1970. */
  startAtMs?: number
  /** Called once all threads are ready. Resolves with the start, on the clock that they share. */
  startAt?: (() => Promise<number>) | undefined
}

/**
 * Starts a thread for each task. The first opens first, and the others get its actual address, so
 * that several can share port 0. All run only once all are ready.
 * @param onFaults gets records of faults, if the task has `recordFaults`
 * @throws UserError if one cannot bind or connect; then no thread is left running
 */
export async function startThreads<O extends AnyThreadResult = ThreadResult>(
  [first, ...others]: [Task, ...Task[]],
  onFaults: OnFaults = () => {},
  { signal, leadMs = 0, startAtMs, startAt }: StartOptions = {},
): Promise<Threads<O>> {
  signal?.throwIfAborted()
  const aborted = new Promise<never>((_, reject) =>
    signal?.addEventListener('abort', () => reject(signal.reason as Error)),
  )
  aborted.catch(() => {})
  const up = <T>(ready: Promise<T>): Promise<T> => Promise.race([ready, aborted])
  const threads = [new Thread(first, 0, onFaults)]
  try {
    const address = await up(threads[0]!.ready)
    threads.push(...others.map((task, n) => new Thread({ ...task, address }, n + 1, onFaults)))
    await up(Promise.all(threads.map(thread => thread.ready)))
    const wantedNs = startAt
      ? await up(startAt())
      : startAtMs === undefined
        ? 0
        : sharedAt(startAtMs)
    const atNs = Math.max(sharedNowNs() + leadMs * 1e6, wantedNs)
    for (const thread of threads) thread.run(atNs)
    const meters = threads.map(thread => thread.meter)
    const results = Promise.all(threads.map(thread => thread.finished))
    // If one thread crashes, the others are stopped.
    results.catch(() => threads.forEach(thread => thread.abort()))
    return {
      address,
      startNs: atNs,
      finished: results.then(all => all.filter(result => result !== undefined) as O[]),
      snapshot: () => takeSnapshot(meters),
      counts: () => takeCounts(meters),
      stop: how => threads.forEach(thread => thread.stop(how)),
      setFaults: async faults => {
        await Promise.all(threads.map(thread => thread.setFaults(faults)))
      },
    }
  } catch (error) {
    for (const thread of threads) thread.abort()
    throw error
  }
}

/** An instant of the wall clock on the clock that threads share. */
const sharedAt = (wallMs: number): number => (wallMs - wallOffsetMs()) * 1e6 + sharedOffsetNs()

// The compiler changes the extension of imports, but not of this URL. So the URL has the extension
// of this file.
const workerUrl = new URL(`./worker${extname(import.meta.url)}`, import.meta.url)

class Thread {
  readonly meter = new Meter()
  readonly ready: Promise<Address>
  readonly finished: Promise<AnyThreadResult | undefined>
  readonly #worker: Worker
  /** Calls that wait until their faults are in force, in order. */
  readonly #faultsWanted: (() => void)[] = []

  constructor(task: Task, index: number, onFaults: OnFaults) {
    const input: ThreadInput = { task, memory: this.meter.memory }
    const { resourceLimits } = engines[task.engine]
    const name = `yodel ${task.kind}`
    this.#worker = new Worker(workerUrl, {
      workerData: input,
      resourceLimits,
      name,
      // Not all flags of the program are allowed for threads.
      execArgv: [],
    })
    this.ready = new Promise((resolve, reject) => {
      this.#worker.on('message', (message: FromThread) => {
        if (message.kind === 'ready') resolve(message.address)
        else if (message.kind === 'failed') reject(UserError.fromData(message.error))
        else if (message.kind === 'faultsSet') this.#faultsWanted.shift()?.()
        else if (message.kind === 'faults') {
          const { events, lost } = message.batch
          onFaults(
            events.map(({ timeMs, ...event }) => ({ timeMs, thread: index, ...event })),
            lost,
          )
          this.#say('taken')
        }
      })
      this.#worker.once('error', reject)
      this.#worker.once('exit', () => reject(new Error('a thread ended before it was ready')))
    })
    this.finished = new Promise((resolve, reject) => {
      let result: AnyThreadResult | undefined
      this.#worker.on('message', (message: FromThread) => {
        if (message.kind === 'finished') result = message.result
      })
      this.#worker.once('error', reject)
      this.#worker.once('exit', () => resolve(result))
    })
    // A caller that awaits `ready` gets the error there, so here it must not count as unhandled.
    this.finished.catch(() => {})
    this.ready.catch(() => {})
  }

  #say(message: ToThread) {
    this.#worker.postMessage(message)
  }

  run(startNs: number): void {
    this.#say({ run: startNs })
  }

  stop(how: Stop): void {
    this.meter.requestStop(how)
    this.#say({ stop: how })
  }

  async setFaults(faults: readonly FaultSpec[]): Promise<void> {
    const set = new Promise<void>(resolve => this.#faultsWanted.push(resolve))
    this.#say({ faults })
    await Promise.race([set, this.finished])
  }

  /** Ends a thread because another one has failed, even before it is ready. */
  abort(): void {
    this.stop('now')
    this.run(0)
    void this.#worker.terminate()
  }
}
