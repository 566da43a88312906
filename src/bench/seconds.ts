/**
 * The series of a run: whole seconds of the window, then of the drain while replies still come. A
 * shorter remainder joins the second before it, so that no rate is taken over a few milliseconds.
 */
import { failureNames } from '../metrics/meter.ts'
import type { Histogram } from '../metrics/histogram.ts'
import { since, type Snapshot } from '../metrics/snapshot.ts'
import type { Interval } from '../report/result.ts'
import { distribution } from '../report/summarize.ts'

const secondMs = 1_000
/** Timers are not exact: only what is shorter than this counts as a remainder. */
const wholeMs = 900

/**
 * Called for each second, with functions that compute its figures and its distribution (which takes
 * a while).
 */
type OnSecond = (make: () => Interval, response: () => Histogram) => void

export class Seconds {
  /** The end of the window: as planned, until it is known to be over earlier. */
  #durationMs: number
  readonly #onSecond: OnSecond
  /**
   * The bounds of the seconds that are not reported yet; the first mark ends the last reported one.
   */
  #marks: Snapshot[] = []
  #startMs = 0
  /** When the next second ends, counted from the start, so that it does not drift. */
  #targetMs = 0

  /** @param onSecond called for each second, in order */
  constructor(durationMs: number, onSecond: OnSecond) {
    this.#durationMs = durationMs
    this.#onSecond = onSecond
  }

  /** Begins the window. */
  begin(start: Snapshot): void {
    this.#startMs = start.atMs
    this.#marks = [start]
    this.#aim(0)
  }

  get begun(): boolean {
    return this.#marks.length > 0
  }

  /** How long until tick() has to be called again. */
  restMs(nowMs: number): number {
    return Math.max(1, this.#targetMs - (nowMs - this.#startMs))
  }

  /**
   * Sets when the next second ends. The end of the window also ends a second: later replies are not
   * part of its rate.
   */
  #aim(elapsedMs: number) {
    const from = this.#targetMs
    this.#targetMs += secondMs
    while (this.#targetMs <= elapsedMs) this.#targetMs += secondMs
    if (from < this.#durationMs && this.#targetMs > this.#durationMs)
      this.#targetMs = Math.max(this.#durationMs, elapsedMs + 1)
  }

  /**
   * Takes a mark: a second is over, or the window.
   * @param goesOn whether the run goes on until its window is over; else it may end at any moment
   * @param isOver whether nothing more is planned, whatever the time is
   */
  take(now: Snapshot, goesOn: boolean, isOver = false): void {
    const elapsedMs = now.atMs - this.#startMs
    const last = this.#marks.at(-1)!
    const silent = !happened(last, now)
    const isDrain = last.atMs - this.#startMs >= this.#durationMs - wholeMs / 10
    if (isOver) this.#durationMs = Math.min(this.#durationMs, elapsedMs)
    this.#aim(elapsedMs)
    // A second of the drain without an answer is reported only if an answer follows it.
    if (isDrain && silent) {
      if (now.atMs - last.atMs >= wholeMs) this.#marks.push({ ...last, atMs: now.atMs })
      return
    }
    this.#mark(now)
    // A remainder may still follow, and join this second: that is known only when the next second
    // is over. A remainder also follows if this thread was held up until far into the next second.
    const certain = goesOn && elapsedMs + wholeMs <= Math.min(this.#durationMs, this.#targetMs)
    // The last second may still turn out to be shorter: in the drain it ends with the last reply.
    this.#tell(certain ? 1 : isOver || isDrain ? 3 : 2)
  }

  /**
   * The run is over.
   * @param lastMs the end of the window or the last reply, whichever is later, if that is known:
   * the last second ends there
   */
  end(total: Snapshot, lastMs = Infinity): void {
    const marks = this.#marks
    const isOver = (mark: Snapshot) => mark.atMs - this.#startMs >= this.#durationMs
    if (happened(marks.at(-1)!, total)) this.#mark(total)
    else
      while (marks.length > 2 && isOver(marks.at(-2)!) && !happened(marks.at(-2)!, marks.at(-1)!))
        marks.pop()
    const last = marks.at(-1)!
    if (lastMs < last.atMs && lastMs > (marks.at(-2)?.atMs ?? Infinity)) {
      marks.pop()
      this.#mark({ ...last, atMs: lastMs })
    }
    this.#tell(1)
  }

  #mark(now: Snapshot) {
    const marks = this.#marks
    const isRest = now.atMs - marks.at(-1)!.atMs < wholeMs
    if (isRest && marks.length > 1) marks[marks.length - 1] = now
    else marks.push(now)
  }

  /**
   * Reports the seconds that are certain.
   * @param keep how many marks are kept, because the second after the first of them is not certain
   * yet
   */
  #tell(keep: number) {
    const marks = this.#marks
    // If the window is shorter than a second, the remainder after the window is added to it.
    if (marks.length > 2 && marks[1]!.atMs - marks[0]!.atMs < wholeMs) marks.splice(1, 1)
    while (marks.length > keep) {
      const [from, to] = [marks.shift()!, marks[0]!]
      this.#onSecond(
        () => this.#interval(from, since(from, to)),
        () => between(from.response, to.response),
      )
    }
  }

  #interval(from: Snapshot, passed: Snapshot): Interval {
    const { messagesSent: sent, messagesReceived: received, atMs, response } = passed
    return {
      second: (from.atMs - this.#startMs) / 1e3,
      seconds: atMs / 1e3,
      sent,
      received,
      // The bytes of a warm-up message are added to `warmupBytesIn` only when the whole message has
      // come back. `bytesIn` may have counted them a second earlier.
      bytesReceived: Math.max(0, passed.bytesIn - passed.warmupBytesIn),
      errors: failureNames.reduce((sum, name) => sum + passed[name], 0),
      ratePerSecond: received / (atMs / 1e3),
      responseUs: distribution(response),
    }
  }
}

const counted = ['messagesSent', 'messagesReceived', ...failureNames] as const
const happened = (from: Snapshot, to: Snapshot): boolean =>
  counted.some(name => to[name] > from[name])

function between(from: Histogram, to: Histogram): Histogram {
  const passed = to.copy()
  passed.add(from, -1)
  return passed
}
