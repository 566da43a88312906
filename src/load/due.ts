/** What is due on one connection of an open loop, and how much of it was issued. */
import type { MessagePlace } from './pacer.ts'
import type { Planned, Timetable } from './timetable.ts'

export class Due {
  #planned = 0
  /**
   * How many messages were issued or skipped. Skipped are those left over from the warm-up, and
   * those that became due during an outage.
   */
  #taken = 0
  /** The planned instant of the last of these messages. */
  #lastNs = 0
  readonly #stream: Planned
  readonly #timetable: Timetable<Planned>

  constructor(stream: Planned, timetable: Timetable<Planned>) {
    this.#stream = stream
    this.#timetable = timetable
  }

  get waiting(): number {
    return this.#planned - this.#taken
  }

  plan(count: number): void {
    this.#planned += count
  }

  /** Takes the next message that waits: its planned instant; NaN if none waits. */
  take(now: number): number {
    const { measureFromNs } = this.#timetable
    while (this.#taken < this.#planned) {
      this.#lastNs = this.#timetable.plannedNs(this.#stream, this.#taken++, this.#lastNs)
      if (this.#lastNs >= measureFromNs || now < measureFromNs) return this.#lastNs
      this.#goTo(this.#firstFrom(measureFromNs))
    }
    return NaN
  }

  /** How many of the messages that wait belong to the window. */
  get waitingOfWindow(): number {
    if (this.waiting === 0) return 0
    return this.#planned - this.#firstFrom(this.#timetable.measureFromNs).n
  }

  /** Skips the messages that were due before an instant. */
  skip(untilNs: number): void {
    if (this.waiting > 0) this.#goTo(this.#firstFrom(untilNs))
  }

  #firstFrom(ns: number): MessagePlace {
    return this.#timetable.skip(this.#stream, this.#taken, this.#planned, this.#lastNs, ns)
  }

  #goTo({ n, previousNs }: MessagePlace): void {
    this.#taken = n
    this.#lastNs = previousNs
  }
}
