/**
 * When the thread of a load was held up: its clock jumps from one sign of life to the next, past an
 * instant at which it was to be awake, although it did not work. Then what was in flight waited for
 * it, not for the server. Instants are nanoseconds on the clock of performance.now().
 */
import type { Meter } from '../metrics/meter.ts'
import { threadTimes, type ThreadTimes } from './thread-times.ts'

/** Held up from when to when, in nanoseconds after the beginning of the window. */
export type StallInterval = [startNs: number, lengthNs: number]

/** Those that touched the window; the longest of them in full. Plain data. */
export interface StallLog {
  count: number
  totalNs: number
  longest: StallInterval[]
}

/** Of one sending thread, over the time in which it sent. Plain data. */
export interface ThreadEffort {
  /** Share of a processor that it used; null where that is not known. */
  busyShare: number | null
  /** Shares of its time on a processor, busy waiting too, and in the queue for one; or null. */
  onCpuShare: number | null
  queuedShare: number | null
  /** When it was stalled in the window. */
  stalls: StallLog
  collections: { count: number; totalNs: number }
}

/** How often a thread of a load wakes up at least, so that its clock is seen to run. */
export const beatMs = 2
/** Timers are this late on a quiet machine, too. */
const latenessNs = 2e6
/** What the system says of a running thread may be as old as a tick of its scheduler. */
const tickNs = 4e6
/** The most stalls that a result lists one by one. */
const toldMax = 32
/** After this many later stalls, hardly any message from before a stall is still in flight. */
const rememberedMax = 256
/** A message that is sent this long after its planned instant waited for those before it. */
const deferredNs = 1e6

/** The distributions that a stall touches, and where that is recorded. */
const touchedNames = {
  response: ['responseTouched', 'responseLess'],
  service: ['serviceTouched', 'serviceLess'],
} as const

export class Stalls {
  /** What was due or sent before that may have been in flight during one; -Infinity for none. */
  untilNs = -Infinity
  readonly #meter: Meter
  readonly #openLoop: boolean
  /** The window, as far as it is known. */
  #fromNs = 0
  #endNs = Infinity
  /** Its last sign of life, and when the next one is to come at the latest. */
  #seenNs = Infinity
  #dueNs = Infinity
  /** Start and end of each, the oldest first. */
  readonly #all: [startNs: number, endNs: number][] = []
  /** End and length of the last one, and until when what it had delayed was caught up with. */
  #lastEndNs = -Infinity
  #lastNs = 0
  #caughtUpNs = -Infinity
  readonly #times: () => ThreadTimes | undefined
  #looked: { atNs: number; times: ThreadTimes | undefined } = { atNs: 0, times: undefined }
  readonly #log: StallLog = { count: 0, totalNs: 0, longest: [] }

  constructor(meter: Meter, openLoop: boolean, times = threadTimes) {
    this.#times = times
    this.#meter = meter
    this.#openLoop = openLoop
  }

  start(now: number, fromNs: number, endNs: number): void {
    this.#fromNs = fromNs
    this.#endNs = endNs
    this.#seenNs = now
    this.#dueNs = now + beatMs * 1e6
    this.look(now, this.#times())
  }

  /** What it had of a processor until then: to be called several times a second. */
  look(now: number, times: ThreadTimes | undefined): void {
    this.#looked = { atNs: now, times }
  }

  /** The thread runs. */
  seen(now: number): void {
    if (now - this.#dueNs >= latenessNs && now - this.#seenNs >= latenessNs) {
      const heldNs = this.#heldNs(now)
      if (heldNs >= latenessNs) this.#stalled(now - heldNs, now)
    }
    this.#seenNs = now
  }

  /** How long of its silence it was off its processor: one that works for long is not held up. */
  #heldNs(now: number): number {
    const silentNs = now - this.#seenNs
    const { atNs, times: before } = this.#looked
    const times = this.#times()
    this.look(now, times)
    if (!before || !times) return silentNs
    const offNs = now - atNs - (times.cpuNs - before.cpuNs)
    const isLong = silentNs >= 5 * tickNs
    if (offNs >= silentNs + tickNs || (isLong && offNs >= 0.9 * silentNs)) return silentNs
    if (isLong) return Math.min(silentNs, offNs)
    return Math.min(silentNs, Math.max(times.queuedNs - before.queuedNs, offNs - tickNs))
  }

  /** The thread runs, and will again at that instant, or before. */
  expect(now: number, dueNs: number): void {
    this.seen(now)
    this.#dueNs = dueNs
  }

  /** A message came back that had been in flight since then; it is recorded once already. */
  touched(name: keyof typeof touchedNames, fromNs: number, issuedNs: number, now: number): void {
    // A send that was late is no part of the service.
    const mayBeBehind = this.#openLoop && name === 'response'
    const isBehind = mayBeBehind && (fromNs < this.#lastEndNs || issuedNs - fromNs >= deferredNs)
    if (isBehind) this.#caughtUpNs = Math.max(this.#caughtUpNs, issuedNs)
    const overlapNs = this.#overlap(fromNs, now, mayBeBehind)
    // Those behind it wait until it is back.
    if (isBehind) this.untilNs = this.#caughtUpNs = Math.max(this.#caughtUpNs, now)
    if (overlapNs <= 0) return
    const [touched, less] = touchedNames[name]
    this.#meter.histograms[touched].record(now - fromNs)
    this.#meter.histograms[less].record(now - fromNs - overlapNs)
  }

  /** How much of that time the thread was stalled, or sent what had become due meanwhile. */
  #overlap(fromNs: number, now: number, mayBeBehind: boolean): number {
    let sumNs = 0
    for (let n = this.#all.length - 1; n >= 0; n--) {
      const [startNs, endNs] = this.#all[n]!
      if (endNs <= fromNs) break
      sumNs += Math.min(endNs, now) - Math.max(startNs, fromNs)
    }
    if (!mayBeBehind) return sumNs
    const caughtUpFrom = Math.max(fromNs, this.#lastEndNs)
    const behindNs = Math.min(now, this.#caughtUpNs) - caughtUpFrom
    // A send that is late by a stall makes its echo late by no more: the rest is the server's.
    return Math.max(sumNs, Math.min(sumNs + behindNs, this.#lastNs))
  }

  #stalled(startNs: number, endNs: number): void {
    this.#all.push([startNs, endNs])
    if (this.#all.length > rememberedMax) this.#all.shift()
    this.#lastEndNs = this.untilNs = endNs
    this.#lastNs = endNs - startNs
    const from = Math.max(startNs, this.#fromNs)
    const lengthNs = Math.min(endNs, this.#endNs) - from
    if (lengthNs <= 0) return
    const { longest } = this.#log
    this.#log.count++
    this.#log.totalNs += lengthNs
    longest.push([from - this.#fromNs, lengthNs])
    if (longest.length <= toldMax) return
    longest.sort((a, b) => b[1] - a[1])
    longest.pop()
  }

  get log(): StallLog {
    return { ...this.#log, longest: this.#log.longest.toSorted((a, b) => a[0] - b[0]) }
  }
}
