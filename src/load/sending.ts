/** What goes out on one connection of a load: which messages, when, and how much was taken. */
import { counter } from '../metrics/meter.ts'
import { Due } from './due.ts'
import type { Evidence } from './evidence.ts'
import { Handed } from './handed.ts'
import type { Outage, Outages } from './outages.ts'
import type { Payload } from './payload.ts'
import type { Sizes } from './sizes.ts'
import type { Planned, Timetable } from './timetable.ts'
import type { UnderWay, WrongBytes } from './wrong-bytes.ts'

/** What a stream knows of the load that it belongs to. */
export interface StreamTraffic extends Timetable<Planned> {
  readonly payload: Payload
  readonly sizes: Sizes
  readonly evidence: Evidence<UnderWay & { diagnose(others: readonly UnderWay[]): WrongBytes }>
  /** Where broken connections are opened again. */
  readonly outages: Outages | undefined
}

export abstract class Sending {
  /** Its number in this thread, and in the whole run. */
  readonly index: number
  readonly connection: number
  sentBytes = 0
  receivedBytes = 0
  /** It failed, and was counted under its first reason. */
  failed = false
  /** It failed, but is opened again instead of being counted. */
  broken = false
  /** Since it broke; until it has an echo again. */
  outage: Outage | undefined
  protected readonly traffic: StreamTraffic
  /** Of each message in flight, by its number modulo the depth: planned instant, real send. */
  protected readonly times: Float64Array
  protected readonly depth: number
  /** Open loop. */
  protected readonly due: Due
  /** Messages sent, received whole. */
  protected sent = 0
  protected received = 0
  /** How much of it the system has taken. */
  protected readonly handed: Handed

  constructor(traffic: StreamTraffic, index: number, connection: number) {
    this.traffic = traffic
    this.index = index
    this.connection = connection
    this.depth = traffic.task.depth
    this.times = new Float64Array(2 * this.depth)
    this.handed = new Handed(traffic, connection)
    this.due = new Due(this, traffic)
  }

  get inFlight(): number {
    return this.sent - this.received
  }

  /** When the oldest message in flight was sent; Infinity if there is none. */
  get waitingSinceNs(): number {
    if (this.sent === this.received) return Infinity
    return this.times[(this.received % this.depth) * 2 + 1]!
  }

  /** Whether everything that was planned has come back, and nothing more will be planned. */
  get done(): boolean {
    if (!this.traffic.over || this.sent > this.received) return false
    return this.due.waiting === 0
  }

  /** Open loop: `count` more are due. Returns whether some can go out. */
  plan(count: number, measured: boolean): boolean {
    const room = this.due.waiting === 0 ? this.depth - this.inFlight : 0
    this.due.plan(count)
    if (measured) this.traffic.countPlanned(count, this.failed ? 0 : Math.max(0, count - room))
    if (measured && this.broken) this.outage!.lost += count
    return room > 0 && !this.failed
  }

  /**
   * Takes messages that may go out now, up to `maxBytes`. Their bytes begin at the `sentBytes` of
   * before the call. Returns how many bytes they have; 0 if none may go out.
   */
  take(now: number, maxBytes = Infinity): number {
    if (this.failed) return 0
    const traffic = this.traffic
    const { openLoop, sizes } = traffic
    const [before, sentBefore, depth] = [this.sentBytes, this.sent, this.depth]
    const warmBefore = this.handed.warm
    let at = (sentBefore % depth) * 2
    while (this.sent - this.received < depth && this.sentBytes - before < maxBytes) {
      if (!openLoop && !traffic.mayGoOn(now, this, this.sent)) break
      const plannedNs = openLoop ? this.due.take(now) : now
      if (Number.isNaN(plannedNs)) break
      this.times[at] = plannedNs
      this.times[at + 1] = now
      at = at + 2 === 2 * depth ? 0 : at + 2
      const sizeBytes = sizes.fixedBytes || sizes.of(this.connection, this.sent)
      this.sentBytes += sizeBytes
      if (plannedNs < traffic.measureFromNs) this.handed.takeWarm(sizeBytes)
      this.sent++
    }
    if (!openLoop) {
      const count = this.sent - sentBefore - (this.handed.warm - warmBefore)
      traffic.meter.counters[counter.messagesPlanned]! += count
    }
    return this.sentBytes - before
  }

  /** The system has taken the stream up to there, at that time: only now is a message sent. */
  handedOver(untilBytes: number, atNs?: number): void {
    if (untilBytes > this.handed.bytes)
      this.handed.extend(untilBytes, untilBytes === this.sentBytes ? this.sent : undefined, atNs)
  }
}
