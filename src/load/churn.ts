/**
 * Churn: short connections in addition to the steady ones; each connects, echoes one message and
 * closes. This file decides when they begin, and counts them; an engine has the connections.
 */
import { Histogram } from '../metrics/histogram.ts'
import { counter, type FailureName } from '../metrics/meter.ts'
import { nowNs } from '../vocabulary/clock.ts'
import { createChurnPlan, type ChurnPlan } from './churn-plan.ts'
import type { ShortConnections } from './mover.ts'
import { Replies, type CameLog } from './replies.ts'
import type { Traffic } from './traffic.ts'

/**
 * How many short connections may be open at once. Further ones that are due wait, and their times
 * contain the wait.
 */
export const openMax = 5_000
/** How many may be connecting at once. With more, all of them would take too long. */
const openingMax = 256
/**
 * At most this many connections of the warm-up are skipped one by one. With more, random gaps
 * become even.
 */
const skippedMax = 1_000
/** The number of the first short connection, above the numbers of all steady ones. */
const firstNumber = 2 ** 24

/** A short connection, from its planned instant to its end. */
export interface Short {
  /** Its number among the short connections of the whole load, and among all connections. */
  readonly number: number
  readonly connection: number
  readonly plannedNs: number
  readonly startNs: number
  /**
   * Whether the connection belongs to the window, and whether it began before the load was over.
   */
  readonly isMeasured: boolean
  readonly isOwing: boolean
  isOpening: boolean
}

/** What an engine does for short connections. */
export interface ShortDialler {
  /** Begins a short connection, and reports when it is connected, and when it has ended. */
  begin(short: Short): void
  /** Ends all that have begun. */
  abandon(): void
}

export class Churn implements ShortConnections {
  /** How many short connections have begun and not ended. */
  #open = 0
  /** How many of the open ones are not connected yet. */
  #opening = 0
  /** How many of the open ones began before the load was over. */
  #owing = 0
  readonly #traffic: Traffic
  readonly #dialler: ShortDialler
  readonly #plan: ChurnPlan
  /** How late connections of the window began, counted from the instant at which there was room. */
  readonly #lateness = new Histogram()
  #roomNs = 0
  /** When the connections of the window were completed. */
  #completed = new Replies(0)
  #startedNs = 0
  #abandoned = false

  constructor(traffic: Traffic, dialler: ShortDialler) {
    this.#traffic = traffic
    this.#dialler = dialler
    const { arrivals, churn, firstConnection: first, connectionStep: step } = traffic.task
    this.#plan = createChurnPlan(arrivals, churn!, { first, step })
  }

  start(now: number): void {
    this.#startedNs = now
    this.#completed = new Replies(this.#traffic.measureFromNs)
  }

  get nextNs(): number {
    return this.#isFull || !this.#isWanted ? Infinity : this.#dueNs
  }

  get #isFull(): boolean {
    return this.#open >= openMax || this.#opening >= openingMax
  }

  get done(): boolean {
    return this.#open === 0 && this.#traffic.over && !this.#isWanted
  }

  get #dueNs(): number {
    return this.#startedNs + this.#plan.nextNs
  }

  get #isWanted(): boolean {
    if (this.#abandoned) return false
    return !this.#traffic.over || this.#dueNs < this.#traffic.plannedUntilNs
  }

  /**
   * Begins connections that are due, as long as there is room; the others begin when there is room.
   */
  plan(now: number): void {
    if (now >= this.#traffic.measureFromNs) this.#skipWarmUp()
    while (this.nextNs <= now) {
      const plannedNs = this.nextNs
      if (plannedNs >= this.#traffic.measureFromNs)
        this.#lateness.record(now - Math.max(plannedNs, this.#roomNs))
      this.#begin(plannedNs, this.#plan.take())
    }
  }

  /**
   * Drops connections that are left over from the warm-up, so that they do not delay those of the
   * window.
   */
  #skipWarmUp() {
    const untilNs = this.#traffic.measureFromNs - this.#startedNs
    for (let n = 0; n < skippedMax && this.#plan.nextNs < untilNs; n++) this.#plan.take()
    if (this.#plan.nextNs < untilNs) this.#plan.takeMany(untilNs)
  }

  /**
   * The 99th percentile of how late connections of the window began; undefined if there was none.
   */
  get lateNs(): number | undefined {
    return this.#lateness.count > 0 ? this.#lateness.quantiles([0.99])[0] : undefined
  }

  /** The window, and when its short connections were completed. */
  get log(): CameLog {
    const { measureFromNs, plannedUntilNs } = this.#traffic
    const lengthNs = Math.max(0, plannedUntilNs - measureFromNs)
    return this.#completed.log(measureFromNs, lengthNs, false)
  }

  #begin(plannedNs: number, number: number): void {
    const { measureFromNs, meter, over } = this.#traffic
    const isMeasured = plannedNs >= measureFromNs
    this.#open++
    this.#opening++
    if (!over) this.#owing++
    if (isMeasured) meter.counters[counter.churnPlanned]!++
    const connection = firstNumber + number
    const about = { number, connection, plannedNs, startNs: nowNs(), isMeasured, isOwing: !over }
    this.#dialler.begin({ ...about, isOpening: true })
  }

  connected(short: Short): void {
    this.#onOpened(short)
    if (short.isMeasured) this.#record('connect', short)
  }

  #onOpened(short: Short): void {
    if (!short.isOpening) return
    this.#makeRoom()
    short.isOpening = false
    this.#opening--
  }

  /** @param failure why it failed, if it did */
  ended(short: Short, failure?: FailureName): void {
    this.#onOpened(short)
    if (!this.#abandoned) this.#count(short, failure)
    this.#makeRoom()
    this.#open--
    if (short.isOwing) this.#owing--
  }

  #count(short: Short, failure: FailureName | undefined): void {
    const { counters } = this.#traffic.meter
    if (failure) counters[counter[failure]]!++
    else if (short.isMeasured) {
      counters[counter.churnCompleted]!++
      this.#completed.record(this.#record('churn', short), 1)
    }
  }

  /**
   * Records how long after its planned instant a connection was made, or closed. Returns the
   * present instant.
   */
  #record(name: 'connect' | 'churn', { plannedNs, startNs }: Short): number {
    const now = nowNs()
    const { stalls, meter } = this.#traffic
    stalls.seen(now)
    meter.histograms[name].record(now - plannedNs)
    if (plannedNs < stalls.untilNs) stalls.touched(name, plannedNs, startNs, now)
    return now
  }

  #makeRoom() {
    if (this.#isFull) this.#roomNs = nowNs()
  }

  /**
   * Ends all that have begun. They count as unanswered, also those of the warm-up, which are in no
   * other figure. Those that could not begin in time count as planned.
   */
  abandon(): void {
    if (this.#abandoned) return
    const { measureFromNs, plannedUntilNs, meter } = this.#traffic
    const { counters } = meter
    if (this.#traffic.over && plannedUntilNs >= measureFromNs) {
      this.#skipWarmUp()
      counters[counter.churnPlanned]! += this.#plan.takeMany(plannedUntilNs - this.#startedNs)
    }
    counters[counter.unanswered]! += this.#owing
    this.#abandoned = true
    this.#dialler.abandon()
  }
}
