/** Carries what faults did from a thread to its subscriber, with a bounded queue. */
import type { FaultEvent } from '../faults/chain.ts'

/** A fault, as it is written down. Without `timeMs` it is the same for the same seed and input. */
export interface FaultRecord extends FaultEvent {
  /** When, in milliseconds since 1970. */
  timeMs: number
  /** Which thread of the server; each counts its own connections. */
  thread: number
}

/** What arrives together. */
export interface FaultBatch {
  events: (FaultEvent & { timeMs: number })[]
  /** How many events before these were lost, because there was no room for them. */
  lost: number
}

const batchMax = 512
const intervalMs = 10
/** Batches under way; beyond that events wait here, and beyond `waitingMax` they are lost. */
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

  /** One batch has been read at the other end. */
  taken(): void {
    this.#underWay--
    this.#flush()
  }

  /** Everything that is left, as the thread ends. */
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
