/**
 * What goes out on one connection of a load: which messages, when, and how much of them is sent.
 */
import { counter } from '../metrics/meter.ts'
import { Due } from './due.ts'
import type { Evidence } from './evidence.ts'
import type { Outage, Outages } from './outages.ts'
import type { Payload } from './payload.ts'
import { SentBytes } from './sent.ts'
import type { Sizes } from './sizes.ts'
import type { Planned, Timetable } from './timetable.ts'
import type { InFlight, WrongBytes } from './wrong-bytes.ts'

/** What a stream knows of the load that it belongs to. */
export interface StreamTraffic extends Timetable<Planned> {
  readonly payload: Payload
  readonly sizes: Sizes
  readonly evidence: Evidence<InFlight & { diagnose(others: readonly InFlight[]): WrongBytes }>
  /** Set if broken connections are opened again. */
  readonly outages: Outages | undefined
}

export abstract class Sending {
  /** Its number in this thread, and in the whole load. */
  readonly index: number
  readonly connection: number
  issuedBytes = 0
  receivedBytes = 0
  /** Whether the stream has failed. It is counted under its first reason. */
  failed = false
  /** Whether the connection broke, and is opened again instead of being counted as failed. */
  broken = false
  /** Set from the instant at which the connection broke until its first echo afterwards. */
  outage: Outage | undefined
  protected readonly traffic: StreamTraffic
  /** When each message in flight was planned and issued, by its number modulo the depth. */
  protected readonly times: Float64Array
  protected readonly depth: number
  /** Open loop: the messages that are due. */
  protected readonly due: Due
  /** How many messages were issued, and how many have come back whole. */
  issued = 0
  protected received = 0
  protected readonly sent: SentBytes

  constructor(traffic: StreamTraffic, index: number, connection: number) {
    this.traffic = traffic
    this.index = index
    this.connection = connection
    this.depth = traffic.task.depth
    this.times = new Float64Array(2 * this.depth)
    this.sent = new SentBytes(traffic, connection)
    this.due = new Due(this, traffic)
  }

  get inFlight(): number {
    return this.issued - this.received
  }

  /** Since when the oldest message in flight is awaited; Infinity if there is none. */
  get waitingSinceNs(): number {
    if (this.issued === this.received) return Infinity
    return this.traffic.stalls.sentNs(this.times[(this.received % this.depth) * 2 + 1]!)
  }

  /** Whether everything that was planned has come back, and nothing more will be planned. */
  get done(): boolean {
    if (!this.traffic.over || this.issued > this.received) return false
    return this.due.waiting === 0
  }

  /** Open loop: `count` more messages are due. Returns whether some of them may be issued. */
  plan(count: number, measured: boolean): boolean {
    const room = this.due.waiting === 0 ? this.depth - this.inFlight : 0
    this.due.plan(count)
    if (measured) this.traffic.countPlanned(count, this.failed ? 0 : Math.max(0, count - room))
    if (measured && this.broken) this.outage!.lost += count
    return room > 0 && !this.failed
  }

  /**
   * Issues messages: takes those out of the plan that may go out now, until they have `maxBytes` or
   * more. The engine then writes the bytes of the stream from the former `issuedBytes` on. Returns
   * how many bytes that are; 0 if no message may go out.
   */
  issue(now: number, maxBytes = Infinity): number {
    if (this.failed) return 0
    const traffic = this.traffic
    const { openLoop, sizes } = traffic
    const [before, issuedBefore, depth] = [this.issuedBytes, this.issued, this.depth]
    const warmBefore = this.sent.warm
    let at = (issuedBefore % depth) * 2
    while (this.issued - this.received < depth && this.issuedBytes - before < maxBytes) {
      if (!openLoop && !traffic.mayGoOn(now, this, this.issued)) break
      const plannedNs = openLoop ? this.due.take(now) : now
      if (Number.isNaN(plannedNs)) break
      this.times[at] = plannedNs
      this.times[at + 1] = now
      at = at + 2 === 2 * depth ? 0 : at + 2
      const sizeBytes = sizes.fixedBytes || sizes.of(this.connection, this.issued)
      this.issuedBytes += sizeBytes
      if (plannedNs < traffic.measureFromNs) this.sent.issueWarm(sizeBytes)
      this.issued++
    }
    if (!openLoop) {
      const count = this.issued - issuedBefore - (this.sent.warm - warmBefore)
      traffic.meter.counters[counter.messagesPlanned]! += count
    }
    return this.issuedBytes - before
  }

  /** The system has accepted everything before this offset, at the instant `atNs`. */
  onSent(untilBytes: number, atNs?: number): void {
    if (untilBytes > this.sent.bytes)
      this.sent.extend(untilBytes, untilBytes === this.issuedBytes ? this.issued : undefined, atNs)
  }
}
