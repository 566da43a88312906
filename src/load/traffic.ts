/**
 * One thread's share of a load, without its sockets: what is due when, what must come back, what it
 * took. Engines move the bytes. Instants are nanoseconds on the clock of performance.now().
 */
import { counter, type Meter } from '../metrics/meter.ts'
import { createPayload, type Allocate, type Payload } from './payload.ts'
import type { LoadPlan } from './plan.ts'
import { createSizes, type Sizes } from './sizes.ts'
import { Stream } from './stream.ts'
import { Timetable } from './timetable.ts'
import type { UnderWay, WrongBytes } from './wrong-bytes.ts'

export { nowNs } from './timetable.ts'

/** Wrong bytes are collected for so long at most, to see how it goes on behind them. */
const evidenceNs = 100e6
/** What has been waited for so long at least may be called missing. */
const patientNs = 50e6

export class Traffic extends Timetable<Stream> {
  readonly payload: Payload
  readonly sizes: Sizes
  /** The steady connections, as their numbers in this thread. */
  readonly streams: Stream[]
  /** The first wrong bytes, once there were any. */
  wrong: WrongBytes | undefined
  /** The first corrupt ones, where those are counted and do not end their connection. */
  corrupt: WrongBytes | undefined
  /** Of HTTP: how many connections failed by each status that is none of success. */
  readonly statuses = new Map<number, number>()
  #suspect: Stream | undefined
  #suspectSinceNs = 0
  /** The others when it went wrong: they go on, and soon are far from there. */
  #witnesses: UnderWay[] = []

  /** @param allocate where the payload is to lie in memory */
  constructor(task: LoadPlan, meter: Meter, allocate?: Allocate) {
    super(task, meter)
    this.payload = createPayload(task.payload, allocate)
    this.sizes = createSizes(task.sizes, task.seed)
    this.streams = Array.from(
      { length: task.connections },
      (_, index) => new Stream(this, index, task.firstConnection + index * task.connectionStep),
    )
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

  noteStatus(status: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
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
    if (this.corrupt) this.note(this.corrupt)
    // What was sent in the last moment may well be on its way.
    const patienceNs = Math.max(patientNs, (this.task.drainMs * 1e6) / 2)
    for (const stream of this.streams) {
      const waitedNs = now - stream.waitingSinceNs
      if (stream.giveUp(now) && waitedNs >= patienceNs) this.note(stream.unanswered())
    }
  }
}
