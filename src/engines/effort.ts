/** How busy a sending thread is: its processor time, without that which it waits away. */
import { readFileSync } from 'node:fs'
import { counter, type Meter } from '../metrics/meter.ts'

export class Effort {
  readonly #meter: Meter
  /** Whether the time in which it wanted a processor and had none counts as work, too. */
  readonly #queueing: boolean
  readonly #beganNs: number
  #idleNs = 0

  /** @param spinning the thread never sleeps: what is not waiting, by the clock, is work */
  constructor(meter: Meter, spinning: boolean) {
    this.#meter = meter
    this.#queueing = spinning
    this.#beganNs = this.#threadNs()
  }

  /** So much time was spent looking for work in vain. */
  waited(ns: number): void {
    this.#idleNs += ns
  }

  /** To be called several times a second, and at the end. */
  update(): void {
    const usedNs = this.#threadNs() - this.#beganNs - this.#idleNs
    const before = this.#meter.counters[counter.cpuUs]!
    this.#meter.counters[counter.cpuUs] = Math.max(before, usedNs / 1e3)
  }

  /**
   * Of this thread, in nanoseconds: on a processor, and in the queue for one
   * (proc_pid_schedstat(5)); 0 where it is not known.
   */
  #threadNs(): number {
    if (process.platform !== 'linux') return 0
    try {
      const stat = readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')
      return Number(stat[0]) + (this.#queueing ? Number(stat[1]) : 0)
    } catch {
      return 0
    }
  }
}
