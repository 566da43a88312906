/**
 * When what is due, and for how long: of the load of one thread, whatever it is made of. Instants
 * are nanoseconds on the clock of performance.now().
 */
import type { Meter } from '../metrics/meter.ts'
import { createPacer, type Pacer } from './pacer.ts'
import type { LoadPlan } from './plan.ts'

export const nowNs = (): number => performance.now() * 1e6

/** One connection of a load, as far as the plan knows it. */
interface Planned {
  /** Its number in this thread. */
  readonly index: number
  /** Open loop: one more message is due. Whether it can go out. */
  plan(dueNs: number, now: number): boolean
}

export abstract class Timetable<S extends Planned> {
  readonly task: LoadPlan
  readonly meter: Meter
  abstract readonly streams: readonly S[]
  /** Nothing more is planned; what was planned may still be sent. */
  over = false
  startedNs = 0
  /** What is planned before that instant is warm-up. */
  measureFromNs = 0
  lastReceivedNs = 0
  /** Whether messages are sent by a plan, and not when echoes have come back. */
  readonly openLoop: boolean
  readonly #pacer: Pacer | undefined
  #endNs = 0
  #overNs = 0
  /** Messages that may still be planned, the warm-up left out. */
  #left: number

  constructor(task: LoadPlan, meter: Meter) {
    this.task = task
    this.meter = meter
    this.#left = task.count
    this.#pacer = task.pace && createPacer(task.arrivals, task.pace)
    this.openLoop = this.#pacer !== undefined
  }

  start(now: number): void {
    this.startedNs = this.lastReceivedNs = now
    this.measureFromNs = now + this.task.warmupMs * 1e6
    this.#endNs = this.measureFromNs + this.task.durationMs * 1e6
  }

  /** When somebody has to look again: the next message is due, or the time is up. */
  get nextNs(): number {
    if (this.over) return Infinity
    return this.#pacer ? Math.min(this.startedNs + this.#pacer.nextNs, this.#endNs) : this.#endNs
  }

  /** Open loop: plans what has become due, and calls for each stream that may send. */
  plan(now: number, onDue: (stream: S) => void): void {
    const pacer = this.#pacer
    if (pacer && !this.over) {
      const until = Math.min(now, this.#endNs)
      for (;;) {
        const dueNs = this.startedNs + pacer.nextNs
        if (dueNs > until || dueNs >= this.#endNs || this.#left <= 0) break
        if (dueNs >= this.measureFromNs) this.#left--
        const stream = this.streams[pacer.take()]!
        if (stream.plan(dueNs, now)) onDue(stream)
      }
    }
    if (!this.over && (now >= this.#endNs || this.#left <= 0)) this.stop(now)
  }

  plannedNs(stream: Planned, n: number, previousNs: number): number {
    const previous = n === 0 ? 0 : previousNs - this.startedNs
    return this.startedNs + this.#pacer!.plannedNs(stream.index, n, previous)
  }

  /** Closed loop: whether another message may be sent; if so, it counts as planned. */
  mayGoOn(now: number): boolean {
    if (this.over) return false
    if (this.#left > 0 && now < this.#endNs) {
      if (now >= this.measureFromNs) this.#left--
      return true
    }
    this.stop(now)
    return false
  }

  stop(now: number): void {
    if (this.over) return
    this.over = true
    this.#overNs = now
  }

  /** How long has been measured, in milliseconds. */
  get measuredMs(): number {
    const end = Math.max(Math.min(this.#overNs, this.#endNs), this.lastReceivedNs)
    return Math.max(0, end - this.measureFromNs) / 1e6
  }
}
