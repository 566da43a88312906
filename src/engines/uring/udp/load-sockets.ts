/** The sockets of a load of datagrams on a ring, each in the slot with its stream's number. */
import { getSystemErrorName } from 'node:util'
import type { DatagramStream } from '../../../load/datagram-stream.ts'
import type { DatagramTraffic } from '../../../load/datagram-traffic.ts'
import type { Mover } from '../../../load/mover.ts'
import { counter, type FailureName } from '../../../metrics/meter.ts'
import { failureName, reasonWhy } from '../../failures.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import { systemError, type Libc } from '../../os/libc.ts'
import { cancel, kind, tag } from '../entries.ts'
import * as k from '../kernel.ts'
import type { Ring } from '../ring.ts'
import { Inbox } from '../inbox.ts'
import { sentCountOf, firstOf, DatagramOutbox } from './outbox.ts'
import { PatientSends } from './patient-sends.ts'
import { isForSingle } from '../../os/datagram-train.ts'
import type { Ways } from './ways.ts'

/** How many connections begin to send at once, and the time until the next group begins. */
const beginnersMax = 32
const beginAgainNs = 1e6
const noName = new Uint8Array()

export class LoadSockets implements Mover<DatagramStream> {
  /** Streams that are not given up. */
  open: number
  /** When the next group begins to send. */
  beginNs = Infinity
  /** Why connections failed, if more is known than the class. */
  readonly reasons = new Map<FailureName, string>()
  readonly #ring: Ring
  readonly #traffic: DatagramTraffic
  readonly #ways: Ways
  readonly #inbox: Inbox
  readonly #outbox: DatagramOutbox
  readonly #patient: PatientSends
  /** The generation of the socket in each slot: it changes with each new socket. */
  readonly #generation: Int32Array
  /** The turn in which the socket was put into its slot. */
  readonly #movedIn: Int32Array
  /** How many datagrams the kernel got in this turn and has not refused. */
  readonly #given: Int32Array
  /** How many datagrams wait. */
  readonly #waiting: Int32Array
  #givenNs = 0
  /** Slots for which something was given to the kernel. */
  #givers: number[] = []
  readonly #isDirty: Uint8Array
  /** Slots that may have something to send. */
  #dirty: number[] = []
  #begun = 0
  #turn = 1
  #ended = false

  constructor(libc: Libc, ring: Ring, traffic: DatagramTraffic, ways: Ways) {
    this.#ring = ring
    this.#traffic = traffic
    this.#ways = ways
    const { length } = traffic.streams
    this.open = length
    this.#inbox = new Inbox(libc, ring, 0, ways.clock)
    this.#outbox = new DatagramOutbox(libc, ring)
    this.#patient = new PatientSends(libc, ring, 0)
    this.#generation = new Int32Array(length)
    this.#movedIn = new Int32Array(length)
    this.#given = new Int32Array(length)
    this.#waiting = new Int32Array(length)
    this.#isDirty = new Uint8Array(length)
  }

  /** Begins to receive on all sockets. */
  receive(): void {
    for (const { index } of this.#traffic.streams) this.#inbox.receive(index)
  }

  /** Connections begin in groups: the first datagrams of all might not fit into a socket buffer. */
  begin(now: number): void {
    const { streams } = this.#traffic
    const to = Math.min(this.#begun + beginnersMax, streams.length)
    for (; this.#begun < to; this.#begun++) this.send(streams[this.#begun]!)
    this.beginNs = to < streams.length ? now + beginAgainNs : Infinity
  }

  /** Marks a stream. flush() sends all its datagrams of the turn together. */
  send({ index }: DatagramStream): void {
    if (this.#isDirty[index]) return
    this.#isDirty[index] = 1
    this.#dirty.push(index)
  }

  /** Gives the kernel all datagrams that may go now. */
  flush(): void {
    const now = nowNs()
    if (now >= this.beginNs) this.begin(now)
    const dirty = this.#dirty
    if (dirty.length === 0 || this.#ended) return
    this.#dirty = []
    this.#givenNs = now
    this.#outbox.begin()
    for (const slot of dirty) {
      this.#isDirty[slot] = 0
      // Datagrams that wait are sent first.
      if (this.#waiting[slot] === 0) this.#give(slot, now)
    }
    this.#outbox.flush()
  }

  #give(slot: number, now: number): void {
    const stream = this.#traffic.streams[slot]!
    const before = this.#given[slot]!
    let given = before
    for (let sequence; (sequence = stream.issueNext(now)) >= 0; given++)
      this.#write(stream, sequence)
    if (given === before) return
    if (before === 0) this.#givers.push(slot)
    this.#given[slot] = given
  }

  #write({ index, connection }: DatagramStream, sequence: number): void {
    const [traffic, outbox] = [this.#traffic, this.#outbox]
    const size = traffic.sizeOf(connection, sequence)
    const at = outbox.place(index, sequence, size)
    traffic.writeAt(outbox.bytes, at, connection, sequence, size)
  }

  /** To be called when the kernel has taken all that was submitted: refusals are known soon. */
  beginTurn(): void {
    this.#turn = (this.#turn + 1) | 0
  }

  /** Counts datagrams that the kernel has not refused as sent. */
  #countSent(): void {
    for (const slot of this.#givers) {
      const stream = this.#traffic.streams[slot]!
      for (; this.#given[slot]! > 0; this.#given[slot]!--) stream.onSent(undefined, this.#givenNs)
    }
    this.#givers = []
  }

  endTurn(): void {
    if (this.#givers.length > 0) this.#countSent()
    this.#inbox.bufferRing.publish()
  }

  onReceived(slot: number, generation: number, result: number, flags: number, now: number): void {
    const isPresent = generation === this.#generation[slot]
    if (result >= 0) {
      const id = flags >>> 16
      if (isPresent) this.#onData(this.#traffic.streams[slot]!, id, now)
      this.#inbox.bufferRing.give(id)
    }
    if (flags & k.cqe.MORE || !isPresent || this.#ended) return
    // An empty datagram ends the multishot receive, too.
    const goesOn = result >= 0 || result === k.error.NOBUFS
    if (result === k.error.NOBUFS) this.#inbox.grow()
    if (!goesOn && result !== k.ECANCELED) this.#onError(slot, result)
    const isRefused = result === k.error.CONNREFUSED && generation === this.#generation[slot]
    if (goesOn || isRefused) this.#inbox.receive(slot, generation)
  }

  #onData(stream: DatagramStream, id: number, now: number): void {
    const inbox = this.#inbox
    const start = inbox.startOf(id)
    const length = inbox.payloadBytes(start)
    const size = inbox.sizeBytes(start)
    const cameNs = inbox.cameNs(start, now)
    // An answer shows that its datagram was sent, so that is counted first.
    if (this.#givers.length > 0) this.#countSent()
    const from = start + inbox.payloadAt
    let at = 0
    do {
      stream.arrived(inbox.bytes, now, from + at, Math.min(size, length - at), cameNs)
      at += size
    } while (at < length)
    this.send(stream)
  }

  /** The kernel could not send the datagrams that it was given. */
  onSendFailed(slot: number, user1: number, result: number): void {
    // These datagrams went to the address that was tried before.
    if (this.#ended || this.#movedIn[slot] === this.#turn) return
    const stream = this.#traffic.streams[slot]!
    const count = sentCountOf(user1)
    const isForSingles = count > 1 && isForSingle(result)
    const first = firstOf(user1, stream.issued)
    if (isForSingles) this.#outbox.separate(this.#traffic.sizeOf(stream.connection, first))
    if (result === k.error.AGAIN || isForSingles) {
      for (let n = 0; n < count; n++) this.#sendPatiently(stream, first + n)
      return
    }
    this.#given[slot] = Math.max(0, this.#given[slot]! - count)
    this.#onError(slot, result)
  }

  /** Copies a datagram, and sends it when there is room. It is lost if too many wait. */
  #sendPatiently({ index, connection }: DatagramStream, sequence: number): void {
    const datagram = this.#traffic.write(connection, sequence)
    if (this.#patient.send(index, noName, datagram)) this.#waiting[index]!++
  }

  /** A datagram that had to wait has been sent, or could not be sent. */
  onPatient(slot: number, at: number, result: number): void {
    this.#patient.onSent(at)
    this.#waiting[slot]!--
    if (result < 0 && result !== k.ECANCELED) this.#onError(slot, result)
    this.send(this.#traffic.streams[slot]!)
  }

  #onError(slot: number, result: number): void {
    const stream = this.#traffic.streams[slot]!
    const mayMove = !stream.proven && this.#ways.hasNext(slot)
    if (mayMove && result === k.error.CONNREFUSED) this.#move(slot, stream)
    else this.#fail(stream, systemError(getSystemErrorName(result)))
  }

  /**
   * Tries the next address of the name. Datagrams in flight are sent there, and not counted again.
   */
  #move(slot: number, stream: DatagramStream): void {
    this.#movedIn[slot] = this.#turn
    cancel(this.#ring, tag(kind.RECV, slot), this.#generation[slot])
    // The cancel must be done before the next socket is put into the slot.
    while (this.#ring.pending > 0) this.#ring.enter(0, 0)
    this.#given[slot] = 0
    try {
      this.#ways.open(slot)
    } catch (error) {
      return this.#fail(stream, error as Error)
    }
    this.#inbox.receive(slot, ++this.#generation[slot]!)
    const now = this.#givenNs
    this.#outbox.begin()
    for (const [sequence] of stream.unanswered()) {
      this.#write(stream, sequence)
      this.#outbox.flush()
      stream.onSent(sequence, now)
    }
  }

  /**
   * Fails a connection; usually by ECONNREFUSED: by ICMP the other machine has reported that no
   * process listens there.
   */
  #fail(stream: DatagramStream, error: Error): void {
    const [name, reason] = [failureName(error), reasonWhy(error)]
    if (reason !== undefined) this.reasons.set(name, reason)
    if (stream.failed) return
    stream.fail(counter[name])
    this.open--
  }

  giveUp(stream: DatagramStream): void {
    if (!stream.failed) this.open--
    stream.failed = true
  }

  onTick(): void {
    this.#patient.onTick()
  }

  /** Nothing more is sent. */
  end(): void {
    this.#ended = true
  }

  /** To be called after the ring is closed. */
  close(): void {
    this.#inbox.close()
    this.#outbox.close()
    this.#patient.close()
  }
}
