/**
 * When the thread of a load was held up (stalled). The thread reports at least every 2 ms that it
 * runs. If more time passes between two reports, and the thread did not work meanwhile, it was held
 * up: then messages in flight waited for the thread, not for the server. Instants are nanoseconds
 * on the clock of performance.now().
 */
import type { Meter } from '../metrics/meter.ts'
import { threadTimes, type ThreadTimes } from './thread-times.ts'

/** When a stall began, after the beginning of the window, and how long it was. */
export type StallInterval = [startNs: number, lengthNs: number]

/** The stalls of the window; the longest of them one by one. Plain data. */
export interface StallLog {
  count: number
  totalNs: number
  longest: StallInterval[]
}

/** How much processor time one sending thread had while it sent. Plain data. */
export interface ThreadEffort {
  /** The share of a processor that the thread used; null where that is not known. */
  busyShare: number | null
  /**
   * The shares of its time on a processor (busy waiting included), and in the queue for one; or
   * null.
   */
  onCpuShare: number | null
  queuedShare: number | null
  /** The stalls of the thread in the window. */
  stalls: StallLog
  collections: { count: number; totalNs: number }
}

/** How often a thread of a load wakes up at least, so that its clock is seen to run. */
export const beatMs = 2
/** Timers are this late on a quiet machine, too. */
const latenessNs = 2e6
/** The system's account of a running thread may be as old as a tick of its scheduler. */
const tickNs = 4e6
/** The most stalls that a result lists one by one. */
const toldMax = 32
/**
 * How many stalls are remembered. When one is forgotten, hardly any message from before it is still
 * in flight.
 */
const rememberedMax = 256
/** A message that is issued this late waited for the messages before it. */
const deferredNs = 1e6

/** Distributions of times in which a stall fell: as measured, and without the stall. */
const touchedNames = {
  response: ['responseTouched', 'responseLess'],
  service: ['serviceTouched', 'serviceLess'],
  connect: ['connectTouched', 'connectLess'],
  churn: ['churnTouched', 'churnLess'],
} as const

export class Stalls {
  /**
   * Messages issued before this instant may have been in flight during a stall; -Infinity: no
   * stall.
   */
  untilNs = -Infinity
  /** Whether the kernel stamps replies. Then a stall delays only messages that are to be sent. */
  stamped = false
  readonly #meter: Meter
  readonly #openLoop: boolean
  /** The window, as far as it is known. */
  #fromNs = 0
  #endNs = Infinity
  /** When the thread last reported that it runs, and when it must report again. */
  #seenNs = Infinity
  #dueNs = Infinity
  /** Start and end of each stall, the oldest first. */
  readonly #all: [startNs: number, endNs: number][] = []
  /** When the last stall ended, and when the delay that it caused was over. */
  #lastEndNs = -Infinity
  readonly #caughtUpNs = { response: -Infinity, connect: -Infinity, churn: -Infinity }
  /**
   * A stall may begin while the one before it still delays messages. Such stalls form a row: this
   * is when the first stall of the row began.
   */
  #firstNs = -Infinity
  /** By how much the stalls of the row can delay a message at most. */
  #owedNs = 0
  /** How late the last message came back; undefined if none has come back since the last stall. */
  #lagNs: number | undefined
  readonly #times: () => ThreadTimes | undefined
  #noted: { atNs: number; times: ThreadTimes | undefined } = { atNs: 0, times: undefined }
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
    this.note(now, this.#times())
  }

  /** Notes how long the thread had a processor so far; to be called several times a second. */
  note(now: number, times: ThreadTimes | undefined): void {
    this.#noted = { atNs: now, times }
  }

  /** Reports that the thread runs now; records a stall if that comes too late. */
  seen(now: number): void {
    if (now - this.#dueNs >= latenessNs && now - this.#seenNs >= latenessNs) {
      const heldNs = this.#heldNs(now)
      if (heldNs >= latenessNs) this.#stalled(now - heldNs, now)
    }
    this.#seenNs = now
  }

  /** How long the thread had no processor since its last report. (Long work is not a stall.) */
  #heldNs(now: number): number {
    const silentNs = now - this.#seenNs
    const { atNs, times: before } = this.#noted
    const times = this.#times()
    this.note(now, times)
    if (!before || !times) return silentNs
    const offNs = now - atNs - (times.cpuNs - before.cpuNs)
    const isLong = silentNs >= 5 * tickNs
    if (offNs >= silentNs + tickNs || (isLong && offNs >= 0.9 * silentNs)) return silentNs
    if (isLong) return Math.min(silentNs, offNs)
    return Math.min(silentNs, Math.max(times.queuedNs - before.queuedNs, offNs - tickNs))
  }

  /** Reports that the thread runs now, and will report again at `dueNs` or before. */
  expect(now: number, dueNs: number): void {
    this.seen(now)
    this.#dueNs = dueNs
  }

  /**
   * A message that was in flight since `fromNs` has come back, or a short connection that was due
   * at that instant is connected, or closed. The caller has recorded the time as it was measured.
   * If a stall fell in it, this records it twice more: as measured, and without the stall.
   */
  touched(name: keyof typeof touchedNames, fromNs: number, issuedNs: number, now: number): void {
    // The time by which a message was issued late is not part of its service.
    const isPlanned = name !== 'service' && (this.#openLoop || name !== 'response')
    const line = isPlanned ? name : undefined
    // Short connections have no stamps.
    const isStamped = this.stamped && (name === 'response' || name === 'service')
    const sentNs = isStamped ? this.sentNs(issuedNs) : now
    const isLate = (isStamped ? sentNs : issuedNs) - fromNs >= deferredNs
    const isBehind = isLate || (!isStamped && fromNs < this.#lastEndNs)
    const caughtUpNs = this.#caughtUpNs
    if (line && isBehind) caughtUpNs[line] = Math.max(caughtUpNs[line], issuedNs)
    const overlapNs = this.#overlap(fromNs, Math.min(now, sentNs), now, line && caughtUpNs[line])
    // Messages that wait behind this one were delayed until this one came back.
    if (line && isBehind) {
      caughtUpNs[line] = Math.max(caughtUpNs[line], now)
      // By the clock of the kernel this message may have come before the last stall ended.
      this.untilNs = Math.max(this.untilNs, caughtUpNs[line])
      this.#lagNs = now - fromNs
    }
    if (overlapNs <= 0) return
    const [touched, less] = touchedNames[name]
    this.#meter.histograms[touched].record(now - fromNs)
    this.#meter.histograms[less].record(now - fromNs - overlapNs)
  }

  /**
   * The part of a time in which the thread was stalled, or sent messages that had become due in a
   * stall.
   * @param untilNs a stall after this instant did not delay the message
   */
  #overlap(fromNs: number, untilNs: number, now: number, caughtUpNs: number | undefined): number {
    let sumNs = 0
    for (let n = this.#all.length - 1; n >= 0; n--) {
      const [startNs, endNs] = this.#all[n]!
      if (endNs <= fromNs) break
      sumNs += Math.max(0, Math.min(endNs, untilNs) - Math.max(startNs, fromNs))
    }
    if (caughtUpNs === undefined) return sumNs
    const behindNs = Math.min(now, caughtUpNs) - Math.max(fromNs, this.#firstNs)
    // Stalls delay an echo by their own length at most. Any further delay is the server's.
    return Math.max(sumNs, Math.min(behindNs, this.#owedNs))
  }

  /** How much of the delay of the last stall may be left when another one begins. */
  #leftNs(startNs: number): number {
    const sinceNs = startNs - Math.max(this.#lastEndNs, ...Object.values(this.#caughtUpNs))
    if (this.#lagNs === undefined) return sinceNs <= beatMs * 1e6 ? this.#owedNs : 0
    const leftNs = Math.min(this.#owedNs, this.#lagNs)
    return sinceNs <= leftNs ? leftNs : 0
  }

  /**
   * The earliest instant at which a message can have left. A message that is issued just as a stall
   * begins may be sent only when the stall ends.
   */
  sentNs(issuedNs: number): number {
    for (let n = this.#all.length - 1; n >= 0; n--) {
      const [startNs, endNs] = this.#all[n]!
      if (endNs <= issuedNs) break
      if (startNs <= issuedNs) return endNs
    }
    return issuedNs
  }

  #stalled(startNs: number, endNs: number): void {
    this.#all.push([startNs, endNs])
    if (this.#all.length > rememberedMax) this.#all.shift()
    const leftNs = this.#leftNs(startNs)
    if (leftNs === 0) this.#firstNs = startNs
    this.#owedNs = leftNs + endNs - startNs
    this.#lagNs = undefined
    this.#lastEndNs = this.untilNs = endNs
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
