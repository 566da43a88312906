/**
 * When the replies of a window came, counted in slots of time that grow wider as needed. The
 * achieved rate of all threads together follows from them:
 *
 *   window    ├──────────── length ────────────┤
 *   replies             ├──────────── length ────────────┤ . .  (stragglers)
 *                       first reply to a message of the window
 */

import { sharedOffsetNs } from '../vocabulary/clock.ts'
import type { CountArray } from '../metrics/sparse.ts'

/** The window of one thread and what came in it. Plain data: it crosses threads. */
export interface CameLog {
  /** When the window began, in nanoseconds on a clock that all threads share. */
  fromNs: number
  /** How long it was: by the plan in an open loop, by the clock in a closed one. */
  lengthNs: number
  /** Whether the replies within the window itself count, as in a closed loop. */
  byClock: boolean
  /** The most replies that may count: those of a count, in a closed loop. */
  most: number
  /**
   * When the first and the last reply came, after the beginning of the window; Infinity and 0 if
   * there was none.
   */
  firstNs: number
  lastNs: number
  /** The length of a slot, and how many replies came in each. */
  slotNs: number
  counts: CountArray
}

/** The log of replies, and how many messages were sent. */
export interface ReplyLog extends CameLog {
  /** Messages that were sent by the end of the window. */
  sent: number
}

/** The number of slots never changes: a slot is at most 1/4,096 of the logged time. */
const slots = 8_192
const firstSlotNs = 781.25

export class Replies {
  firstNs = Infinity
  lastNs = 0
  slotNs = firstSlotNs
  /** When `enough` replies had come; Infinity until then. */
  enoughNs = Infinity
  readonly counts = new Float64Array(slots)
  readonly #fromNs: number
  #missing: number

  /** @param enough how many replies are awaited */
  constructor(fromNs: number, enough = Infinity) {
    this.#fromNs = fromNs
    this.#missing = enough
  }

  /** Counts replies; those before the window are ignored. */
  record(now: number, count: number): void {
    const at = now - this.#fromNs
    if (at < 0) return
    while (at >= slots * this.slotNs) this.#widen()
    this.counts[Math.floor(at / this.slotNs)]! += count
    if (this.firstNs > at) this.firstNs = at
    // Replies may be recorded out of order.
    if (this.lastNs < at) this.lastNs = at
    if (this.#missing <= 0) return
    this.#missing -= count
    if (this.#missing <= 0) this.enoughNs = at
  }

  /** How many replies had come `ns` after the beginning, as a whole number. */
  until(ns: number): number {
    return Math.round(cameUntil(this, ns))
  }

  log(fromNs: number, lengthNs: number, byClock: boolean, most = Infinity): CameLog {
    const { firstNs, lastNs, slotNs, counts } = this
    return {
      fromNs: fromNs + sharedOffsetNs(),
      lengthNs,
      byClock,
      most,
      firstNs,
      lastNs,
      slotNs,
      counts,
    }
  }

  /** Joins each pair of neighbouring slots. */
  #widen(): void {
    const { counts } = this
    for (let slot = 0; slot < slots / 2; slot++)
      counts[slot] = counts[2 * slot]! + counts[2 * slot + 1]!
    counts.fill(0, slots / 2)
    this.slotNs *= 2
  }
}

type Came = Pick<CameLog, 'counts' | 'slotNs' | 'lastNs'>

/** Like until(), with a fraction: within a slot replies count as if they had come evenly. */
function cameUntil({ counts, slotNs, lastNs }: Came, ns: number): number {
  const slot = ns >= lastNs ? slots : Math.max(0, ns / slotNs)
  let count = 0
  for (let n = 0; n < slots && n < slot; n++) count += counts[n]! * Math.min(1, slot - n)
  return count
}

export interface Window {
  seconds: number
  /** Replies that came in an interval of that length. */
  achieved: number
  /** Messages that were sent within the window. */
  sent: number
  /** A closed loop with a count: the window is as long as its messages took. */
  counted: boolean
}

/** The window of a run: one interval for all its threads. */
export function windowOf(logs: readonly ReplyLog[]): Window {
  const sent = logs.reduce((sum, log) => sum + log.sent, 0)
  const counted = logs.some(({ most }) => most < Infinity)
  return { ...achievedOf(logs), sent, counted }
}

/** How long the window of a run was, and what came in an interval of that length. */
export function achievedOf(all: readonly CameLog[]): Pick<Window, 'seconds' | 'achieved'> {
  const lengthNs = Math.max(0, ...all.map(log => log.lengthNs))
  // Threads reach their count at different times: the window lasts until the last one has.
  const logs = all.map(log => (log.most < Infinity ? { ...log, lengthNs } : log))
  const firstNs = Math.min(...logs.map(({ fromNs, firstNs }) => fromNs + firstNs))
  const until = (log: CameLog) => (log.byClock ? log.lengthNs : firstNs + lengthNs - log.fromNs)
  const achieved = logs.reduce((sum, log) => sum + cameUntil(log, until(log)), 0)
  const most = logs.reduce((sum, log) => sum + log.most, 0)
  return { seconds: lengthNs / 1e9, achieved: Math.min(most, Math.round(achieved)) }
}
