/** The datagrams of one connection: which are in flight, and what comes back, in any order. */
import { counter } from '../metrics/meter.ts'
import { plural } from '../vocabulary/units.ts'
import { nowNs } from '../vocabulary/clock.ts'
import { Due } from './due.ts'
import type { Sizes } from './sizes.ts'
import type { Planned, Timetable } from './timetable.ts'
import type { WrongBytes } from './wrong-bytes.ts'

/** How much of a wrong datagram is shown, and of the right bytes before it. */
const shownBytes = 32
const beforeBytes = 16
/** How many sent datagrams are compared to find which one a damaged datagram was. */
const suspectsMax = 64

/** What a stream knows of the load that it belongs to. */
interface DatagramStreamTraffic extends Timetable<Planned> {
  readonly sizes: Sizes
  sizeOf(connection: number, sequence: number): number
  /** The whole datagram of a message. */
  write(connection: number, sequence: number): Buffer
  /** The number of a datagram with a sound header of that connection; -1 of any other. */
  sequenceAt(bytes: Buffer, at: number, length: number, connection: number): number
  /** Connection and message in the header of a datagram; undefined if the header is not sound. */
  read(datagram: Buffer): { connection: number; sequence: number } | undefined
  /** Whether the bytes behind a sound header are those that were sent. */
  isRight(bytes: Buffer, at: number, length: number, connection: number, sequence: number): boolean
  /** A datagram is lost, but may still come. */
  lose(index: number, sequence: number, now: number): void
  /** Whether a datagram that has come had counted as lost; then it no longer does. */
  find(index: number, sequence: number): boolean
  note(wrong: WrongBytes): void
}

interface Flight {
  plannedNs: number
  issuedNs: number
}

export class DatagramStream {
  /** Its number in this thread, and in the whole run. */
  readonly index: number
  readonly connection: number
  /** Whether the stream has failed. It is counted under its first reason. */
  failed = false
  readonly #traffic: DatagramStreamTraffic
  /** The datagrams in flight by sequence number, the oldest first. */
  readonly #flights = new Map<number, Flight>()
  /** Objects of datagrams that are back, to be used again. */
  readonly #landed: Flight[] = []
  /** Open loop: the messages that are due. */
  readonly #due: Due
  /** The next sequence number, and the first one of the window. */
  #next = 0
  #firstMeasured = Infinity
  /** How many datagrams the system has accepted. */
  #sent = 0
  /** The highest sequence number that has come back; -1 if none has. */
  #highest = -1
  #plannedNs = 0

  constructor(traffic: DatagramStreamTraffic, index: number, connection: number) {
    this.#traffic = traffic
    this.index = index
    this.connection = connection
    this.#due = new Due(this, traffic)
  }

  /** Whether everything that was planned has come back or is lost, and nothing more is planned. */
  get done(): boolean {
    if (!this.#traffic.over || this.#flights.size > 0) return false
    return this.#due.waiting === 0
  }

  /**
   * Open loop: this many more are due, in the window or in the warm-up. Returns whether any can be
   * sent.
   */
  plan(count: number, measured: boolean): boolean {
    const { depth } = this.#traffic.task
    const room = this.#due.waiting === 0 ? depth - this.#flights.size : 0
    this.#due.plan(count)
    if (measured) this.#traffic.countPlanned(count, this.failed ? 0 : Math.max(0, count - room))
    return room > 0 && !this.failed
  }

  /** Issues the next datagram that may go out now; undefined if there is none. */
  issue(now: number): Buffer | undefined {
    const sequence = this.issueNext(now)
    return sequence < 0 ? undefined : this.#traffic.write(this.connection, sequence)
  }

  /** Like issue(), for an engine that writes the datagram itself. Returns its number, or -1. */
  issueNext(now: number): number {
    const traffic = this.#traffic
    const { counters } = traffic.meter
    if (this.failed || this.#flights.size >= traffic.task.depth || !this.#mayTake(now)) return -1
    const sequence = this.#next++
    const flight = this.#landed.pop() ?? { plannedNs: 0, issuedNs: 0 }
    flight.plannedNs = this.#plannedNs
    flight.issuedNs = now
    this.#flights.set(sequence, flight)
    if (this.#plannedNs >= traffic.measureFromNs) {
      if (this.#firstMeasured === Infinity) this.#firstMeasured = sequence
      if (!traffic.openLoop) counters[counter.messagesPlanned]!++
    }
    return sequence
  }

  /** How many datagrams were issued. */
  get issued(): number {
    return this.#next
  }

  /**
   * The system has accepted the next datagram: it accepts them in order.
   * @param again the sequence number, if it is sent once more and may be counted already
   */
  onSent(again = this.#sent, now = nowNs()): void {
    if (again < this.#sent) return
    const { counters } = this.#traffic.meter
    const sequence = this.#sent++
    const bytes = this.#traffic.sizeOf(this.connection, sequence)
    counters[counter.bytesOut]! += bytes
    if (sequence >= this.#firstMeasured) {
      counters[counter.messagesSent]!++
      this.#traffic.sends.record(now, 1)
    } else {
      counters[counter.warmupSent]!++
      counters[counter.warmupBytesOut]! += bytes
    }
  }

  /** Whether a message is due; then `#plannedNs` is its planned instant. */
  #mayTake(now: number): boolean {
    const traffic = this.#traffic
    if (!traffic.openLoop) {
      this.#plannedNs = now
      return traffic.mayGoOn(now, this, this.#next)
    }
    this.#plannedNs = this.#due.take(now)
    return !Number.isNaN(this.#plannedNs)
  }

  /** The datagrams in flight, to be sent again if no process listened at the address. */
  *unanswered(): Iterable<[sequence: number, datagram: Buffer]> {
    for (const sequence of this.#flights.keys())
      yield [sequence, this.#traffic.write(this.connection, sequence)]
  }

  /** Whether any of the datagrams that were sent has come back. */
  get proven(): boolean {
    return this.#highest >= 0
  }

  /**
   * A datagram has come; it may lie in memory that is used again.
   * @param cameNs when it came, where the kernel says so
   */
  arrived(bytes: Buffer, now: number, at = 0, length = bytes.length, cameNs = now): void {
    const traffic = this.#traffic
    const { counters } = traffic.meter
    counters[counter.chunks]!++
    counters[counter.bytesIn]! += length
    const sequence = traffic.sequenceAt(bytes, at, length, this.connection)
    if (sequence < 0) return this.#onStrange(bytes.subarray(at, at + length))
    const isMeasured = sequence >= this.#firstMeasured
    if (!isMeasured) counters[counter.warmupBytesIn]! += length
    const isRight = traffic.isRight(bytes, at, length, this.connection, sequence)
    if (!isRight || sequence >= this.#next)
      return this.#onWrong(bytes.subarray(at, at + length), sequence)
    const flight = this.#flights.get(sequence)
    if (flight) return this.#onEcho(sequence, flight, now, cameNs)
    const reason = traffic.find(this.index, sequence)
      ? counter.datagramsLate
      : counter.datagramsDuplicated
    if (isMeasured) counters[reason]!++
  }

  #onEcho(sequence: number, flight: Flight, now: number, stampNs: number) {
    const traffic = this.#traffic
    const { plannedNs, issuedNs } = flight
    const { counters } = traffic.meter
    // No stamp is before the send, unless the clock of the kernel was set.
    const cameNs = stampNs < issuedNs ? now : stampNs
    traffic.stalls.seen(now)
    const isMeasured = sequence >= this.#firstMeasured
    this.#flights.delete(sequence)
    this.#landed.push(flight)
    // Reordered (RFC 4737 section 3.3): it comes after a datagram that was sent later.
    const isBehind = sequence < this.#highest
    if (!isBehind) this.#highest = sequence
    if (isMeasured || traffic.goesByClock) traffic.replies.record(cameNs, 1)
    if (!isMeasured) {
      counters[counter.warmupReceived]!++
      return
    }
    if (isBehind) counters[counter.datagramsReordered]!++
    counters[counter.messagesReceived]!++
    traffic.timed(plannedNs, issuedNs, cameNs)
  }

  /**
   * Gives up datagrams that have not come back within the timeout. Returns whether that has made
   * room.
   */
  expire(now: number): boolean {
    const timeoutNs = this.#traffic.task.timeoutMs * 1e6
    let any = false
    for (const [sequence, { issuedNs }] of this.#flights) {
      if (now - this.#traffic.stalls.sentNs(issuedNs) < timeoutNs) break
      this.#flights.delete(sequence)
      this.#traffic.lose(this.index, sequence, now)
      any = true
    }
    return any
  }

  /** Fails the stream, once, for its first reason. Its planned messages are lost. */
  fail(reason: number): void {
    if (this.failed) return
    this.#traffic.meter.counters[reason]!++
    this.failed = true
  }

  /** The header is sound, but the bytes behind it are wrong. */
  #onWrong(datagram: Buffer, sequence: number) {
    const { counters } = this.#traffic.meter
    if (sequence >= this.#next) {
      const detail = `Datagram ${sequence} came, but fewer were sent.`
      return this.#note(datagram, Buffer.alloc(0), { cause: 'unknown', detail })
    }
    if (this.#flights.delete(sequence) && sequence >= this.#firstMeasured)
      counters[counter.datagramsCorrupted]!++
    const sent = this.#traffic.write(this.connection, sequence)
    const name = `Datagram ${sequence} of connection ${this.connection}`
    const start = Math.min(sent.length, datagram.length)
    const isCut = sent.compare(datagram, 0, start, 0, start) === 0
    const detail = isCut
      ? `${name} came back with ${plural(datagram.length, 'byte')} instead of ${sent.length}.`
      : `${name} came back with ${differing(datagram, sent)} wrong.`
    this.#note(datagram, sent, { cause: isCut ? 'bounds' : 'corrupted', detail })
  }

  /**
   * The datagram has the header of another connection, or no sound one. Then its number can only be
   * guessed.
   */
  #onStrange(datagram: Buffer) {
    const traffic = this.#traffic
    const header = traffic.read(datagram)
    if (header) {
      const { connection, sequence } = header
      const detail = `It is datagram ${sequence} of connection ${connection}.`
      const sent = this.#oldest()
      return this.#note(datagram, sent, { cause: 'foreign', detail })
    }
    let best: { sequence: number; wrong: number } | undefined
    for (const sequence of [...this.#flights.keys()].slice(0, suspectsMax)) {
      const wrong = differences(datagram, traffic.write(this.connection, sequence))
      if (!best || wrong < best.wrong) best = { sequence, wrong }
    }
    // Random bytes differ in nearly all places.
    if (best && best.wrong <= datagram.length / 2) return this.#onWrong(datagram, best.sequence)
    const bytes = plural(datagram.length, 'byte')
    const detail = `A datagram of ${bytes} is none of those that were sent.`
    this.#note(datagram, this.#oldest(), { cause: 'unknown', detail })
  }

  #oldest(): Buffer {
    for (const sequence of this.#flights.keys())
      return this.#traffic.write(this.connection, sequence)
    return Buffer.alloc(0)
  }

  /** Keeps the first wrong bytes. Offsets count within the datagram. */
  #note(came: Buffer, sent: Buffer, found: Pick<WrongBytes, 'cause' | 'detail'>) {
    const longest = Math.max(came.length, sent.length)
    let offset = 0
    while (offset < longest && came[offset] === sent[offset]) offset++
    this.#traffic.note({
      connection: this.connection,
      offset,
      expected: Uint8Array.from(sent.subarray(offset, offset + shownBytes)),
      received: Uint8Array.from(came.subarray(offset, offset + shownBytes)),
      before: Uint8Array.from(sent.subarray(Math.max(0, offset - beforeBytes), offset)),
      ...found,
    })
  }
}

function differences(came: Buffer, sent: Buffer): number {
  let count = Math.abs(came.length - sent.length)
  for (let at = 0; at < came.length && at < sent.length; at++) if (came[at] !== sent[at]) count++
  return count
}

const differing = (came: Buffer, sent: Buffer): string =>
  `${differences(came, sent)} of ${plural(sent.length, 'byte')}`
