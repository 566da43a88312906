/**
 * How much of its processor a sending thread gets: how busy it is (busy waiting does not count),
 * how long it waited for a processor, and what collecting garbage took.
 */
import { PerformanceObserver } from 'node:perf_hooks'
import type { Stalls, ThreadEffort } from '../load/stalls.ts'
import { threadTimes, type ThreadTimes } from '../load/thread-times.ts'

interface Reading {
  atNs: number
  times: ThreadTimes | undefined
  idleNs: number
}

/** What Effort needs to know of the load. */
interface EffortLoad {
  readonly over: boolean
  readonly measureFromNs: number
  readonly isPlanned: boolean
  readonly stalls: Stalls
}

export class Effort {
  readonly #traffic: EffortLoad
  #idleNs = 0
  /** At the end of the warm-up, and when sending was over. */
  #first: Reading | undefined
  #last: Reading | undefined
  readonly #collections = { count: 0, totalNs: 0 }
  readonly #observer = new PerformanceObserver(list => this.#collected(list.getEntries()))

  constructor(traffic: EffortLoad) {
    this.#traffic = traffic
  }

  /** Adds time in which the thread looked for work and found none. */
  waited(ns: number): void {
    this.#idleNs += ns
  }

  /** To be called several times a second, and at the end. */
  update(now: number): void {
    const { over, measureFromNs, stalls } = this.#traffic
    const times = threadTimes()
    stalls.note(now, times)
    if (now < measureFromNs || (over && this.#last)) return
    const reading = { atNs: now, times, idleNs: this.#idleNs }
    if (!this.#first) {
      this.#first = reading
      this.#observer.observe({ entryTypes: ['gc'] })
    }
    if (over && reading !== this.#first) this.#last = reading
  }

  #collected(entries: readonly { duration: number }[]): void {
    for (const { duration } of entries) {
      this.#collections.count++
      this.#collections.totalNs += duration * 1e6
    }
  }

  /** When run() is over. */
  get result(): ThreadEffort {
    this.#collected(this.#observer.takeRecords())
    this.#observer.disconnect()
    const { stalls, isPlanned } = this.#traffic
    const [onCpuShare, queuedShare, idleShare] = this.#shares()
    // If all that is sent is planned, the time in the queue for a processor counts as work, too.
    // Only the time in which the thread waited for work does not.
    const used = onCpuShare === null ? null : onCpuShare + (isPlanned ? queuedShare! : 0)
    return {
      busyShare: used === null ? null : within(used - idleShare),
      onCpuShare,
      queuedShare,
      stalls: stalls.log,
      collections: this.#collections,
    }
  }

  #shares(): [onCpu: number | null, queued: number | null, idle: number] {
    const [first, last] = [this.#first, this.#last]
    if (!first?.times || !last?.times) return [null, null, 0]
    const share = (ns: number) => ns / (last.atNs - first.atNs)
    return [
      within(share(last.times.cpuNs - first.times.cpuNs)),
      within(share(last.times.queuedNs - first.times.queuedNs)),
      share(last.idleNs - first.idleNs),
    ]
  }
}

const within = (share: number) => Math.max(0, Math.min(1, share))
