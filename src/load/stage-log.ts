/**
 * What became of the messages of each stage of a load whose rate changes: by their planned
 * instants, so that a late timer or a late reply moves no message into another stage.
 */
import { Histogram } from '../metrics/histogram.ts'
import { saveHistogram, type SavedHistogram } from '../metrics/saved.ts'
import { Replies, type CameLog } from './replies.ts'
import type { Stage } from './stages.ts'

/** What became of one stage in one thread. Plain data: it crosses threads, and is saved. */
export interface StageLog {
  /** How many messages were due in the stage. */
  planned: number
  /** When their replies came, from the beginning of the stage on. */
  came: CameLog
  /** The response times of the messages that came back. */
  response: SavedHistogram
}

interface Came {
  response: Histogram
  replies: Replies
}

export class StageLogs {
  /** When each stage ends by the plan, in nanoseconds after the start. */
  readonly #ends: number[] = []
  readonly #startNs: number
  readonly #planned: number[]
  /** For each stage, what came back; undefined before its first message comes back. */
  readonly #came: (Came | undefined)[]
  /** The stage in which the last lookup was. */
  #at = 0

  /** @param stages with the warm-up, if there is one */
  constructor(stages: readonly Stage[], startNs: number) {
    this.#startNs = startNs
    let endNs = 0
    for (const { ms } of stages) this.#ends.push((endNs += ms * 1e6))
    this.#planned = stages.map(() => 0)
    this.#came = stages.map(() => undefined)
  }

  #beganNs(stage: number): number {
    return stage === 0 ? 0 : this.#ends[stage - 1]!
  }

  /** In which stage an instant after the start is. Most instants are close to the one before. */
  #stageAt(ns: number): number {
    const last = this.#ends.length - 1
    while (this.#at > 0 && ns < this.#beganNs(this.#at)) this.#at--
    while (this.#at < last && ns >= this.#ends[this.#at]!) this.#at++
    return this.#at
  }

  /** The ends of stages between two instants, between which there is only one stage each. */
  endsBetween(fromNs: number, untilNs: number): number[] {
    return this.#ends.filter(endNs => endNs > fromNs && endNs < untilNs)
  }

  /** @param ns the instant, after the start */
  plan(ns: number, count: number): void {
    this.#planned[this.#stageAt(ns)]! += count
  }

  /** A message has come back; instants on the clock of performance.now(). */
  timed(plannedNs: number, now: number): void {
    const stage = this.#stageAt(plannedNs - this.#startNs)
    const came = (this.#came[stage] ??= {
      response: new Histogram(),
      replies: new Replies(this.#startNs + this.#beganNs(stage)),
    })
    came.response.record(now - plannedNs)
    came.replies.record(now, 1)
  }

  /** @param lengthNs the length of the window, which begins after the warm-up */
  logs(isWarmedUp: boolean, lengthNs: number): StageLog[] {
    const first = isWarmedUp ? 1 : 0
    const endNs = this.#beganNs(first) + lengthNs
    const none: Came = { response: new Histogram(), replies: new Replies(0) }
    return this.#planned.slice(first).map((planned, n) => {
      const [beganNs, stageEndNs] = [this.#beganNs(first + n), this.#ends[first + n]!]
      const { response, replies } = this.#came[first + n] ?? none
      const lastedNs = Math.max(0, Math.min(stageEndNs, endNs) - beganNs)
      return {
        planned,
        came: replies.log(this.#startNs + beganNs, lastedNs, false),
        response: saveHistogram(response),
      }
    })
  }
}
