/** The messages of one connection: what to send next, what must come back, and how long it took. */
import { counter } from '../metrics/meter.ts'
import { compareInStep, corruptionDetail } from './corruption.ts'
import { diagnose } from './diagnosis.ts'
import { endDiagnosis, silence, wrongBounds, type Owed } from './ending.ts'
import { Handed } from './handed.ts'
import type { Evidence } from './evidence.ts'
import { firstWrongByte, type Payload } from './payload.ts'
import type { Sizes } from './sizes.ts'
import type { Planned, Timetable } from './timetable.ts'
import { wrongAt, type UnderWay, type WrongBytes } from './wrong-bytes.ts'

/** How many wrong bytes are collected: enough to know where they come from. */
const collectedMaxBytes = 262_144
/** How many bytes may be in doubt: either corrupt or out of step. */
const doubtMaxBytes = 4_096

/** What a stream knows of the load that it belongs to. */
interface StreamTraffic extends Timetable<Planned> {
  readonly payload: Payload
  readonly sizes: Sizes
  readonly evidence: Evidence<Stream>
}

export class Stream {
  /** Its number in this thread, and in the whole run. */
  readonly index: number
  readonly connection: number
  sentBytes = 0
  receivedBytes = 0
  /** It failed, and was counted under its first reason. */
  failed = false
  readonly #traffic: StreamTraffic
  /** Of each message in flight, by its number modulo the depth: planned instant, real send. */
  readonly #times: Float64Array
  readonly #depth: number
  /** Messages that are due (open loop), sent, received whole. */
  #planned = 0
  /** How many of the due ones were sent, or dropped because the warm-up was over. */
  #taken = 0
  #sent = 0
  #received = 0
  /** How much of it the system has taken. */
  readonly #handed: Handed
  /** Planned instant of the last message that was sent. */
  #plannedNs = 0
  /** Where the oldest message in flight ends. */
  #oldestEnd: number
  /** The counter of why it failed. */
  #reason: number | undefined
  #said: string | undefined
  #collected: Buffer[] | undefined
  #collectedBytes = 0
  /** The last bytes that came, if they are in doubt and corruption is counted. */
  #doubtful: Buffer | undefined

  constructor(traffic: StreamTraffic, index: number, connection: number) {
    this.#traffic = traffic
    this.index = index
    this.connection = connection
    this.#depth = traffic.task.depth
    this.#times = new Float64Array(2 * this.#depth)
    this.#handed = new Handed(traffic, connection)
    this.#oldestEnd = traffic.sizes.of(connection, 0)
  }

  get inFlight(): number {
    return this.#sent - this.#received
  }

  /** When the oldest message in flight was sent; Infinity if there is none. */
  get waitingSinceNs(): number {
    if (this.#sent === this.#received) return Infinity
    return this.#times[(this.#received % this.#depth) * 2 + 1]!
  }

  /** Whether everything that was planned has come back, and nothing more will be planned. */
  get done(): boolean {
    if (!this.#traffic.over || this.#sent > this.#received) return false
    return !this.#traffic.openLoop || this.#planned === this.#taken
  }

  /** Open loop: `count` more are due. Returns whether some can go out. */
  plan(count: number, measured: boolean): boolean {
    const room = this.#planned === this.#taken ? this.#depth - this.inFlight : 0
    this.#planned += count
    if (measured) this.#traffic.countPlanned(count, this.failed ? 0 : Math.max(0, count - room))
    return room > 0 && !this.failed
  }

  /**
   * Takes messages that may go out now, up to `maxBytes`. Their bytes begin at the `sentBytes` of
   * before the call. Returns how many bytes they have; 0 if none may go out.
   */
  take(now: number, maxBytes = Infinity): number {
    if (this.failed || this.#collected) return 0
    const traffic = this.#traffic
    const { openLoop, sizes } = traffic
    const [before, sentBefore, depth] = [this.sentBytes, this.#sent, this.#depth]
    const warmBefore = this.#handed.warm
    let at = (sentBefore % depth) * 2
    while (this.#sent - this.#received < depth && this.sentBytes - before < maxBytes) {
      if (openLoop) {
        if (this.#taken === this.#planned) break
        this.#plannedNs = traffic.plannedNs(this, this.#taken++, this.#plannedNs)
        if (this.#plannedNs < traffic.measureFromNs && now >= traffic.measureFromNs) {
          const place = traffic.skipWarmUp(this, this.#taken, this.#planned, this.#plannedNs)
          this.#taken = place.n
          this.#plannedNs = place.previousNs
          continue
        }
      } else {
        if (!traffic.mayGoOn(now, this, this.#sent)) break
        this.#plannedNs = now
      }
      this.#times[at] = this.#plannedNs
      this.#times[at + 1] = now
      at = at + 2 === 2 * depth ? 0 : at + 2
      const sizeBytes = sizes.fixedBytes || sizes.of(this.connection, this.#sent)
      this.sentBytes += sizeBytes
      if (this.#plannedNs < traffic.measureFromNs) this.#handed.takeWarm(sizeBytes)
      this.#sent++
    }
    if (!openLoop) {
      const count = this.#sent - sentBefore - (this.#handed.warm - warmBefore)
      traffic.meter.counters[counter.messagesPlanned]! += count
    }
    return this.sentBytes - before
  }

  /** The system has taken the stream up to there, at that time: only now is a message sent. */
  handedOver(untilBytes: number, atNs?: number): void {
    if (untilBytes > this.#handed.bytes)
      this.#handed.extend(untilBytes, untilBytes === this.sentBytes ? this.#sent : undefined, atNs)
  }

  /** The run ends. Returns whether an answer is still owed, in which case it fails. */
  failIfOwing(now: number): boolean {
    if (this.failed || this.inFlight === 0) return false
    const { meter, task } = this.#traffic
    const timedOut = now - this.waitingSinceNs >= task.timeoutMs * 1e6
    this.fail(timedOut ? counter.timedOut : counter.unanswered)
    if (timedOut) return true
    meter.counters[counter.messagesUnfinished]! += this.#handed.measuredBeyond(this.#received)
    return true
  }

  /** Takes what came back. False if it is wrong; the caller then closes the connection. */
  arrived(bytes: Uint8Array, from: number, length: number, now: number): boolean {
    const { counters } = this.#traffic.meter
    counters[counter.chunks]!++
    counters[counter.bytesIn]! += length
    if (this.#collected) return this.#collect(bytes, from, length)
    if (this.failed) return false
    if (!this.#doubtful) return this.#verify(bytes, from, length, now)
    const all = Buffer.concat([this.#doubtful, bytes.subarray(from, from + length)])
    this.#doubtful = undefined
    return this.#verify(all, 0, all.length, now)
  }

  #verify(bytes: Uint8Array, from: number, length: number, now: number): boolean {
    const { payload } = this.#traffic
    const { connection, receivedBytes: offset } = this
    const wrong = firstWrongByte(payload, connection, offset, bytes, from, length)
    const right = Math.min(wrong === -1 ? length : wrong, this.sentBytes - this.receivedBytes)
    this.receivedBytes += right
    if (this.receivedBytes >= this.#oldestEnd) this.#complete(now)
    if (right === length) return true
    const { countCorruption } = this.#traffic.task
    const good =
      right + (countCorruption ? this.#goOn(bytes, from + right, length - right, now) : 0)
    if (good === length) return true
    this.fail(counter.wrongBytes)
    if (!this.#traffic.evidence.suspect(this, now)) return false
    this.#collected = []
    return this.#collect(bytes, from + good, length - good)
  }

  /** Counts corrupt bytes while the stream is in step. Returns how many bytes are. */
  #goOn(bytes: Uint8Array, from: number, length: number, now: number): number {
    const { payload, meter, evidence } = this.#traffic
    const { counters } = meter
    const due = this.sentBytes - this.receivedBytes
    const { connection, receivedBytes: offset } = this
    const compared = Math.min(length, due)
    const isLast = length === due
    const found = compareInStep(payload, connection, offset, bytes, from, compared, isLast)
    const { sure } = found
    if (found.corruptedBytes > 0 && !evidence.corrupt) {
      const received = Buffer.from(bytes.subarray(from, from + sure))
      const detail = corruptionDetail(found)
      evidence.corrupt = this.#describe(received, { cause: 'corrupted', detail })
    }
    counters[counter.corruptedBytes]! += found.corruptedBytes
    counters[counter.flippedBits]! += found.flippedBits
    this.receivedBytes += sure
    if (this.receivedBytes >= this.#oldestEnd) this.#complete(now)
    if (found.lost || length > due || length - sure > doubtMaxBytes) return sure
    if (sure < length) this.#doubtful = Buffer.from(bytes.subarray(from + sure, from + length))
    return length
  }

  /** Takes a whole message, where messages have bounds: it must be the oldest in flight. */
  arrivedMessage(bytes: Buffer, now: number): boolean {
    const { payload, sizes } = this.#traffic
    const wantedBytes = sizes.of(this.connection, this.#received)
    const fits = bytes.length === wantedBytes || this.failed || this.inFlight === 0
    const isRight =
      fits || firstWrongByte(payload, this.connection, this.receivedBytes, bytes) !== -1
    if (isRight) return this.arrived(bytes, 0, bytes.length, now)
    this.fail(counter.wrongBytes)
    const diagnosis = wrongBounds(wantedBytes, bytes.length)
    this.#traffic.evidence.note(this.#describe(bytes, diagnosis))
    return false
  }

  /** Messages that have come back whole. */
  #complete(now: number): void {
    const traffic = this.#traffic
    const { counters } = traffic.meter
    const { sizes, measureFromNs } = traffic
    traffic.stalls.seen(now)
    const [receivedBefore, depth] = [this.#received, this.#depth]
    let warm = 0
    let warmBytes = 0
    let at = (receivedBefore % depth) * 2
    while (this.receivedBytes >= this.#oldestEnd && this.#received < this.#sent) {
      const plannedNs = this.#times[at]!
      this.#received++
      this.#oldestEnd += sizes.fixedBytes || sizes.of(this.connection, this.#received)
      if (plannedNs < measureFromNs) {
        warm++
        warmBytes += sizes.of(this.connection, this.#received - 1)
      } else traffic.timed(plannedNs, this.#times[at + 1]!, now)
      at = at + 2 === 2 * depth ? 0 : at + 2
    }
    counters[counter.warmupReceived]! += warm
    counters[counter.warmupBytesIn]! += warmBytes
    const received = this.#received - receivedBefore
    counters[counter.messagesReceived]! += received - warm
    const counted = traffic.goesByClock ? received : received - warm
    if (counted > 0) traffic.replies.record(now, counted)
  }

  #collect(bytes: Uint8Array, from: number, length: number): boolean {
    this.#collected!.push(Buffer.from(bytes.subarray(from, from + length)))
    this.#collectedBytes += length
    if (this.#collectedBytes < collectedMaxBytes) return true
    this.#traffic.evidence.diagnose()
    return false
  }

  /** A stream fails once, for its first reason. `said`: why, where more is known of it. */
  fail(reason: number, said?: string): void {
    if (this.failed) return
    this.#said = said
    this.#traffic.meter.counters[reason]!++
    this.#reason = reason
    this.failed = true
  }

  /** The other side sent FIN, or the connection ended. */
  ended(): void {
    // What came back was sent, even if the system has not said so yet.
    this.handedOver(this.receivedBytes)
    if (this.#collected) this.#traffic.evidence.diagnose()
    if (!this.done) this.fail(counter.closedEarly)
    if (this.inFlight === 0 || this.#reason === undefined) return
    const diagnosis = endDiagnosis(this.#reason, this.#said, this.#owed())
    if (diagnosis) this.#traffic.evidence.note(this.#describe(Buffer.alloc(0), diagnosis))
  }

  /** @param others what the other streams had under way when this one went wrong */
  diagnose(others: readonly UnderWay[]): WrongBytes {
    const evidence = Buffer.concat(this.#collected ?? [])
    return this.#describe(evidence, diagnose(this.#traffic.payload, this, evidence, others))
  }

  /** Nothing came any more, although the connection is open. */
  unanswered(): WrongBytes {
    return this.#describe(Buffer.alloc(0), silence(this.#owed()))
  }

  #owed(): Owed {
    const { connection, sentBytes, receivedBytes } = this
    const oldestBytes = this.#traffic.sizes.of(connection, this.#received)
    return {
      missingBytes: sentBytes - receivedBytes,
      // Of the oldest message that is owed.
      cameBytes: receivedBytes - (this.#oldestEnd - oldestBytes),
      inWarmUp: this.#times[(this.#received % this.#depth) * 2]! < this.#traffic.measureFromNs,
    }
  }

  #describe(received: Buffer, diagnosis: Pick<WrongBytes, 'cause' | 'detail'>): WrongBytes {
    return wrongAt(this.#traffic.payload, this.connection, this.receivedBytes, received, diagnosis)
  }
}
