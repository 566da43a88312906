/** How busy a sending thread is: its processor time, less what it spends on busy waiting. */
import { readFileSync } from 'node:fs'

interface Look {
  atNs: number
  usedNs: number
}

/** What it has to know of the load. */
interface Sending {
  readonly over: boolean
  readonly measureFromNs: number
  readonly isPlanned: boolean
}

export class Effort {
  readonly #traffic: Sending
  #idleNs = 0
  /** At the end of the warm-up, and when sending was over. */
  #first: Look | undefined
  #last: Look | undefined

  constructor(traffic: Sending) {
    this.#traffic = traffic
  }

  /** How long it has looked for work in vain. */
  waited(ns: number): void {
    this.#idleNs += ns
  }

  /** To be called several times a second, and at the end. */
  update(now: number): void {
    const { over, measureFromNs } = this.#traffic
    if (now < measureFromNs || (over && this.#last)) return
    const look = { atNs: now, usedNs: this.#threadNs() - this.#idleNs }
    this.#first ??= look
    if (over && look !== this.#first) this.#last = look
  }

  /** Share of a processor while it sent; null where that is not known. */
  get busyShare(): number | null {
    const [first, last] = [this.#first, this.#last]
    if (!first || !last || last.usedNs <= 0) return null
    const share = (last.usedNs - first.usedNs) / (last.atNs - first.atNs)
    return Math.max(0, Math.min(1, share))
  }

  /**
   * Of this thread, in nanoseconds (proc_pid_schedstat(5)): on a processor; and where all is
   * planned, so that what is not waiting by the clock is work, in the queue for one, too. 0 where
   * not known.
   */
  #threadNs(): number {
    if (process.platform !== 'linux') return 0
    try {
      const stat = readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')
      return Number(stat[0]) + (this.#traffic.isPlanned ? Number(stat[1]) : 0)
    } catch {
      return 0
    }
  }
}
