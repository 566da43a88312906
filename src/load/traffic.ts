/**
 * One thread's share of a load, without its sockets: what is due when, what must come back, and how
 * long that took. Engines move the bytes. Instants are nanoseconds on the clock of
 * performance.now().
 */
import { counter, type Meter } from '../metrics/meter.ts'
import { Evidence } from './evidence.ts'
import type { Mover } from './mover.ts'
import { Outages } from './outages.ts'
import { createPayload, type Allocate, type Payload } from './payload.ts'
import type { ThreadLoad } from './thread-load.ts'
import { createSizes, type Sizes } from './sizes.ts'
import { Stream } from './stream.ts'
import { Timetable } from './timetable.ts'

/** The shortest time after which bytes count as missing. */
const patientNs = 50e6

export class Traffic extends Timetable<Stream> {
  readonly payload: Payload
  readonly sizes: Sizes
  /** The steady connections, as their numbers in this thread. */
  readonly streams: Stream[]
  /** The first wrong bytes, and why connections failed. */
  readonly evidence: Evidence<Stream>
  /** Set if broken connections are opened again. */
  readonly outages: Outages | undefined

  /** @param allocate where the payload is to lie in memory */
  constructor(task: ThreadLoad, meter: Meter, allocate?: Allocate) {
    super(task, meter)
    this.payload = createPayload(task.payload, allocate)
    this.sizes = createSizes(task.sizes, task.seed)
    this.evidence = new Evidence(() => this.streams)
    this.outages = task.reconnect ? new Outages(meter) : undefined
    this.streams = Array.from(
      { length: task.connections },
      (_, index) => new Stream(this, index, task.firstConnection + index * task.connectionStep),
    )
  }

  /** To be called several times a second: gives up each stream that has waited too long. */
  tick(now: number, mover: Pick<Mover<Stream>, 'giveUp'>): void {
    const suspect = this.evidence.expire(now)
    if (suspect) mover.giveUp(suspect)
    const timeoutNs = this.task.timeoutMs * 1e6
    for (const stream of this.streams) {
      if (stream.failed || now - stream.waitingSinceNs < timeoutNs) continue
      stream.fail(counter.timedOut)
      mover.giveUp(stream)
    }
  }

  /** The load has ended: nothing is awaited any longer. */
  close(now: number): void {
    this.evidence.close()
    // Echoes of messages sent at the last moment may still be on their way.
    const patienceNs = Math.max(patientNs, (this.task.drainMs * 1e6) / 2)
    for (const stream of this.streams) {
      const waitedNs = now - stream.waitingSinceNs
      if (stream.failIfOwing(now) && waitedNs >= patienceNs) this.evidence.note(stream.unanswered())
    }
  }
}
