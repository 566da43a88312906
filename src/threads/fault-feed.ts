/** Carries what faults did from a thread to its subscriber, with a bounded queue. */
import type { FaultEvent } from '../faults/chain.ts'

/** The record of a fault. Without `timeMs` it is the same for the same seed and input. */
export interface FaultRecord extends FaultEvent {
  /** When, in milliseconds since 1970. */
  timeMs: number
  /** Which thread of the server; each counts its own connections. */
  thread: number
}

/** Records that arrive together. */
export interface FaultBatch {
  events: (FaultEvent & { timeMs: number })[]
  /** How many events before these were lost, because there was no room for them. */
  lost: number
}

const batchMax = 512
const intervalMs = 10
/**
 * The most batches under way. Further events wait here; with more than `waitingMax` they are lost.
 */
const underWayMax = 8
const waitingMax = 65_536

export class FaultFeed {
  readonly #send: (batch: FaultBatch) => void
  #waiting: FaultBatch['events'] = []
  #lost = 0
  #underWay = 0
  #timer: NodeJS.Timeout | undefined

  constructor(send: (batch: FaultBatch) => void) {
    this.#send = send
  }

  push(event: FaultEvent): void {
    if (this.#waiting.length >= waitingMax) {
      this.#lost++
      return
    }
    const timeMs = Math.round((performance.timeOrigin + performance.now()) * 1e3) / 1e3
    this.#waiting.push({ timeMs, ...event })
    if (this.#waiting.length >= batchMax) this.#flush()
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#flush()
    }, intervalMs)
  }

  /** The other end has read a batch. */
  taken(): void {
    this.#underWay--
    this.#flush()
  }

  /** Sends everything that is left, since the thread ends. */
  end(): void {
    clearTimeout(this.#timer)
    while (this.#waiting.length > 0 || this.#lost > 0) this.#next()
  }

  #flush() {
    while (this.#waiting.length > 0 && this.#underWay < underWayMax) this.#next()
  }

  #next() {
    const events = this.#waiting.splice(0, batchMax)
    // Lost events are newer than all that wait.
    const lost = this.#waiting.length === 0 ? this.#lost : 0
    if (lost > 0) this.#lost = 0
    this.#underWay++
    this.#send({ events, lost })
  }
}
