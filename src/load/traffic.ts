/**
 * One thread's share of a load, without its sockets: what is due when, what must come back, what it
 * took. Engines move the bytes. Instants are nanoseconds on the clock of performance.now().
 */
import { counter, type Meter } from '../metrics/meter.ts'
import type { UnderWay } from './diagnosis.ts'
import { createPacer, type Pacer } from './pacer.ts'
import { createPayload, type Allocate, type Payload, type WrongBytes } from './payload.ts'
import type { LoadPlan } from './plan.ts'
import { createSizes, type Sizes } from './sizes.ts'
import { Stream } from './stream.ts'

export const nowNs = (): number => performance.now() * 1e6

/** Wrong bytes are collected for so long at most, to see how it goes on behind them. */
const evidenceNs = 100e6
/** What has been waited for so long at least may be called missing. */
const patientNs = 50e6

export class Traffic {
  readonly task: LoadPlan
  readonly meter: Meter
  readonly payload: Payload
  readonly sizes: Sizes
  /** The steady connections, as their numbers in this thread. */
  readonly streams: Stream[]
  /** The first wrong bytes, once there were any. */
  wrong: WrongBytes | undefined
  /** The first corrupt ones, where those are counted and do not end their connection. */
  corrupt: WrongBytes | undefined
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
  #suspect: Stream | undefined
  #suspectSinceNs = 0
  /** The others when it went wrong: they go on, and soon are far from there. */
  #witnesses: UnderWay[] = []

  /** @param allocate where the payload is to lie in memory */
  constructor(task: LoadPlan, meter: Meter, allocate?: Allocate) {
    this.task = task
    this.meter = meter
    this.payload = createPayload(task.payload, allocate)
    this.sizes = createSizes(task.sizes, task.seed)
    this.#left = task.count
    this.#pacer = task.pace && createPacer(task.arrivals, task.pace)
    this.openLoop = this.#pacer !== undefined
    this.streams = Array.from(
      { length: task.connections },
      (_, index) => new Stream(this, index, task.firstConnection + index * task.connectionStep),
    )
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
  plan(now: number, onDue: (stream: Stream) => void): void {
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

  plannedNs(stream: Stream, n: number, previousNs: number): number {
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

  /** The first one who receives wrong bytes is listened to a little longer, for a diagnosis. */
  suspect(stream: Stream, now: number): boolean {
    if (this.#suspect || (this.wrong && this.wrong.received.length > 0)) return false
    this.#suspect = stream
    this.#suspectSinceNs = now
    this.#witnesses = this.streams
      .filter(other => other !== stream)
      .map(({ connection, receivedBytes, sentBytes }) => ({ connection, receivedBytes, sentBytes }))
    return true
  }

  /** To be called several times a second: calls for each stream that is to be given up. */
  tick(now: number, onFailed: (stream: Stream) => void): void {
    const suspect = this.#suspect
    if (suspect && now - this.#suspectSinceNs > evidenceNs) {
      this.convict()
      onFailed(suspect)
    }
    const timeoutNs = this.task.timeoutMs * 1e6
    for (const stream of this.streams) {
      if (stream.failed || now - stream.waitingSinceNs < timeoutNs) continue
      stream.fail(counter.timedOut)
      onFailed(stream)
    }
  }

  /** The first wrong bytes count; bytes that did not come only as long as there are none. */
  note(wrong: WrongBytes): void {
    if (!this.wrong || (this.wrong.received.length === 0 && wrong.received.length > 0))
      this.wrong = wrong
  }

  /** What was collected has to do. */
  convict(): void {
    const suspect = this.#suspect
    this.#suspect = undefined
    if (suspect) this.note(suspect.diagnose(this.#witnesses))
  }

  /** Everything has ended, or is waited for no longer. */
  close(now: number): void {
    this.convict()
    // What was sent in the last moment may well be on its way.
    const patienceNs = Math.max(patientNs, (this.task.drainMs * 1e6) / 2)
    const unanswered = this.streams.find(
      ({ inFlight, failed, waitingSinceNs }) =>
        inFlight > 0 && !failed && now - waitingSinceNs >= patienceNs,
    )
    if (this.corrupt) this.note(this.corrupt)
    if (unanswered) this.note(unanswered.unanswered())
  }
}
