/** The messages of one connection: what must come back, how long that took, and how it failed. */
import { counter, type FailureName } from '../metrics/meter.ts'
import { Collected } from './collected.ts'
import { compareInStep, corruptionDetail } from './corruption.ts'
import { diagnose } from './diagnosis.ts'
import { endDiagnosis, silence, wrongBounds, type Owed } from './ending.ts'
import { firstWrongByte } from './payload.ts'
import { Sending, type StreamTraffic } from './sending.ts'
import { wrongAt, type InFlight, type WrongBytes } from './wrong-bytes.ts'

/** The most bytes that may be in doubt: they are either corrupt, or out of step. */
const doubtMaxBytes = 4_096

export class Stream extends Sending {
  /** The offset at which the oldest message in flight ends. */
  #oldestEnd: number
  /** Why the stream failed, as a counter; and in words, if more is known. */
  #reason: number | undefined
  #said: string | undefined
  #collected: Collected | undefined
  /** When the last bytes came. */
  #cameNs = 0
  /** The last bytes that came, if they are in doubt and corruption is counted. */
  #doubtful: Buffer | undefined

  constructor(traffic: StreamTraffic, index: number, connection: number) {
    super(traffic, index, connection)
    this.#oldestEnd = traffic.sizes.of(connection, 0)
  }

  /** The run ends. If an answer is still missing, the stream fails; returns whether it does. */
  failIfOwing(now: number): boolean {
    if (this.failed || this.inFlight === 0) return false
    const { meter, task } = this.traffic
    const timedOut = now - this.waitingSinceNs >= task.timeoutMs * 1e6
    this.fail(timedOut ? counter.timedOut : counter.unanswered)
    if (timedOut) return true
    meter.counters[counter.messagesUnfinished]! += this.sent.measuredBeyond(this.received)
    return true
  }

  /**
   * Takes received bytes. Returns false if they are wrong; the caller then closes the connection.
   * @param cameNs when they came, if the kernel has stamped them
   */
  arrived(bytes: Uint8Array, from: number, length: number, now: number, cameNs = now): boolean {
    this.#cameNs = cameNs
    const { counters } = this.traffic.meter
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
    const { payload } = this.traffic
    const { connection, receivedBytes: offset } = this
    const wrong = firstWrongByte(payload, connection, offset, bytes, from, length)
    const right = Math.min(wrong === -1 ? length : wrong, this.issuedBytes - this.receivedBytes)
    this.receivedBytes += right
    if (this.receivedBytes >= this.#oldestEnd) this.#complete(now)
    if (right === length) return true
    const { countCorruption } = this.traffic.task
    const good =
      right + (countCorruption ? this.#goOn(bytes, from + right, length - right, now) : 0)
    if (good === length) return true
    this.fail(counter.wrongBytes)
    if (!this.traffic.evidence.suspect(this, now)) return false
    this.#collected = new Collected()
    return this.#collect(bytes, from + good, length - good)
  }

  /** Counts corrupt bytes as long as the stream is in step. Returns how many bytes are in step. */
  #goOn(bytes: Uint8Array, from: number, length: number, now: number): number {
    const { payload, meter, evidence } = this.traffic
    const { counters } = meter
    const due = this.issuedBytes - this.receivedBytes
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

  /** Takes a whole message, on a transport with messages: it must be the oldest in flight. */
  arrivedMessage(
    bytes: Uint8Array,
    from: number,
    length: number,
    now: number,
    cameNs = now,
  ): boolean {
    const { payload, sizes } = this.traffic
    const wantedBytes = sizes.of(this.connection, this.received)
    const fits = length === wantedBytes || this.failed || this.inFlight === 0
    const { connection, receivedBytes: offset } = this
    const isRight = fits || firstWrongByte(payload, connection, offset, bytes, from, length) !== -1
    if (isRight) return this.arrived(bytes, from, length, now, cameNs)
    this.fail(counter.wrongBytes)
    const diagnosis = wrongBounds(wantedBytes, length)
    const received = Buffer.from(bytes.subarray(from, from + length))
    this.traffic.evidence.note(this.#describe(received, diagnosis))
    return false
  }

  /** Records the messages that have come back whole. */
  #complete(now: number): void {
    const traffic = this.traffic
    const { counters } = traffic.meter
    const { sizes, measureFromNs } = traffic
    traffic.stalls.seen(now)
    const [receivedBefore, depth] = [this.received, this.depth]
    let warm = 0
    let warmBytes = 0
    let at = (receivedBefore % depth) * 2
    let cameNs = this.#cameNs
    if (this.outage) {
      traffic.outages!.end(this.outage, now, now - this.times[at]!)
      this.outage = undefined
    }
    while (this.receivedBytes >= this.#oldestEnd && this.received < this.issued) {
      const plannedNs = this.times[at]!
      this.received++
      this.#oldestEnd += sizes.fixedBytes || sizes.of(this.connection, this.received)
      if (plannedNs < measureFromNs) {
        warm++
        warmBytes += sizes.of(this.connection, this.received - 1)
      } else {
        const issuedNs = this.times[at + 1]!
        // A stamp before the send is impossible: the clock of the kernel was set, so it is not
        // used.
        if (cameNs < issuedNs) cameNs = now
        traffic.timed(plannedNs, issuedNs, cameNs)
      }
      at = at + 2 === 2 * depth ? 0 : at + 2
    }
    counters[counter.warmupReceived]! += warm
    counters[counter.warmupBytesIn]! += warmBytes
    const received = this.received - receivedBefore
    counters[counter.messagesReceived]! += received - warm
    const counted = traffic.goesByClock ? received : received - warm
    if (counted > 0) traffic.replies.record(cameNs, counted)
  }

  #collect(bytes: Uint8Array, from: number, length: number): boolean {
    if (this.#collected!.add(bytes, from, length)) return true
    this.traffic.evidence.diagnose()
    return false
  }

  /**
   * Fails the stream, once, for its first reason. `said`: more about the reason, if that is known.
   */
  fail(reason: number, said?: string): void {
    if (this.failed) return
    this.#said = said
    this.#reason = reason
    this.failed = true
    const { outages, over, meter } = this.traffic
    const outage = over ? undefined : outages?.broken(reason, this.outage)
    this.broken = outage !== undefined
    if (!outage) return void meter.counters[reason]!++
    this.outage = outage
    outage.lost += this.due.waitingOfWindow
    for (let n = this.received; n < this.issued; n++)
      if (this.times[(n % this.depth) * 2]! >= this.traffic.measureFromNs) outage.lost++
  }

  /** A new connection continues the stream. Unanswered messages are no longer awaited. */
  reopen(now: number): void {
    this.failed = this.broken = false
    this.#reason = this.#said = this.#doubtful = undefined
    this.sent.skip(this.issuedBytes, this.issued)
    this.receivedBytes = this.issuedBytes
    this.received = this.issued
    this.#oldestEnd = this.issuedBytes + this.traffic.sizes.of(this.connection, this.issued)
    // Messages that became due during the outage are not sent: so many at once would hide the
    // recovery.
    this.due.skip(now + 1)
    this.traffic.outages!.opened(this.outage!, now)
  }

  dialFailed(name: FailureName): void {
    this.traffic.outages!.dialFailed(this.outage!, name)
    this.#reason = counter[name]
  }

  /**
   * The run is over before the connection was open again: fails the stream, for the last reason.
   */
  leave(): void {
    if (!this.broken) return
    this.broken = false
    this.traffic.meter.counters[this.#reason!]!++
  }

  /** The other side sent FIN, or the connection ended. */
  ended(): void {
    // What has come back was sent, even if the system has not reported it yet.
    this.onSent(this.receivedBytes)
    if (this.#collected) this.traffic.evidence.diagnose()
    if (!this.done) this.fail(counter.closedEarly)
    if (this.broken || this.inFlight === 0 || this.#reason === undefined) return
    const diagnosis = endDiagnosis(this.#reason, this.#said, this.#owed())
    if (diagnosis) this.traffic.evidence.note(this.#describe(Buffer.alloc(0), diagnosis))
  }

  /** @param others what the other streams had in flight when this one went wrong */
  diagnose(others: readonly InFlight[]): WrongBytes {
    const evidence = this.#collected?.all ?? Buffer.alloc(0)
    return this.#describe(evidence, diagnose(this.traffic.payload, this, evidence, others))
  }

  /** The description if no more bytes came, although the connection stayed open. */
  unanswered(): WrongBytes {
    return this.#describe(Buffer.alloc(0), silence(this.#owed()))
  }

  #owed(): Owed {
    const { connection, issuedBytes, receivedBytes } = this
    const oldestBytes = this.traffic.sizes.of(connection, this.received)
    return {
      missingBytes: issuedBytes - receivedBytes,
      // How much has come of the oldest message in flight.
      cameBytes: receivedBytes - (this.#oldestEnd - oldestBytes),
      inWarmUp: this.times[(this.received % this.depth) * 2]! < this.traffic.measureFromNs,
    }
  }

  #describe(received: Buffer, diagnosis: Pick<WrongBytes, 'cause' | 'detail'>): WrongBytes {
    return wrongAt(this.traffic.payload, this.connection, this.receivedBytes, received, diagnosis)
  }
}
