/** The connections of a load over TLS or WebSocket: what they send, and how they end. */
import type { Stream } from '../../load/stream.ts'
import type { Traffic } from '../../load/traffic.ts'
import { counter, type Meter } from '../../metrics/meter.ts'
import { nowNs } from '../../vocabulary/clock.ts'
import { ClosedError } from '../../vocabulary/peer-errors.ts'
import { failureName, reasonWhy } from '../failures.ts'
import { ClientLinks, linkPhase, type LinkParts } from './client-links.ts'
import * as entries from './entries.ts'
import { kind, tag } from './entries.ts'
import type { LinkStream } from './link-stream.ts'
import type { LoadMover } from './load-mover.ts'
import type { Redials } from './redials.ts'
import * as bit from './state.ts'

/** The most that one stream sends in a turn, so that others can send, too. */
const perTurnMaxBytes = 262_144

export abstract class LoadLinks extends ClientLinks implements LoadMover {
  /** Connections that are open, or are to be opened again; without idle ones. */
  open = 0
  /** Where the payload's table lies. */
  protected tableAddress = 0
  /** Bytes of the payload that were submitted, and those of them that the kernel has accepted. */
  protected readonly submitted: Float64Array
  readonly #accepted: Float64Array
  readonly #meter: Meter
  /** What the load sends; undefined until it begins, after the handshakes. */
  #traffic: Traffic | undefined
  #redials: Redials | undefined
  readonly #shorts = new Map<number, { stream: LinkStream; onClosed: (slot: number) => void }>()
  /** Connections that have ended before the load began. */
  readonly #early = new Map<number, Error>()
  /** When something was last submitted. */
  #submittedNs = 0
  readonly #isDirty: Uint8Array
  /** Streams with something to send, or that are done. */
  #dirty: number[] = []

  constructor(parts: LinkParts, meter: Meter) {
    super(parts)
    this.#meter = meter
    this.submitted = new Float64Array(parts.slots)
    this.#accepted = new Float64Array(parts.slots)
    this.#isDirty = new Uint8Array(parts.slots)
  }

  /** Gives a stream the received bytes. Returns whether they are right. */
  protected abstract give(stream: LinkStream, now: number): boolean
  /**
   * Submits bytes of a stream from `submitted` on, and counts them there.
   * @param most how many at most, if the layer can stop there
   */
  protected abstract submit(slot: number, stream: LinkStream, traffic: Traffic, most: number): void
  /** Announces the end of a stream in its protocol. */
  protected abstract sayEnd(slot: number): void
  /** The announcement of sayEnd() has been sent. */
  protected onSaid(slot: number): void {
    this.out.finish(slot)
  }

  /** A stream goes on with a new connection, from `submitted` on. */
  protected carry(_slot: number, _stream: Stream): void {}

  /** Begins the load. */
  start(traffic: Traffic, tableAddress: number, redials: Redials | undefined): void {
    this.#traffic = traffic
    this.#redials = redials
    this.tableAddress = tableAddress
    for (const [slot, error] of this.#early) this.failed(slot, error)
  }

  /** What a connection carries; idle connections carry nothing. */
  #streamOf(slot: number): LinkStream | undefined {
    return this.#traffic?.streams[slot] ?? this.#shorts.get(slot)?.stream
  }

  failed(slot: number, error: Error): void {
    const name = failureName(error)
    this.#traffic!.evidence.noteReason(name, reasonWhy(error))
    const stream = this.#traffic!.streams[slot]
    if (stream) stream.fail(counter[name])
    else this.#meter.counters[counter[name]]!++
  }

  /**
   * Nothing to begin: all connections receive since their handshakes. Handles those that have ended
   * meanwhile.
   */
  receive(now: number): void {
    for (const stream of this.#traffic!.streams) {
      if (stream.broken) this.#redials!.begin(stream, now)
      if (stream.broken || this.table.state[stream.index]) this.open++
    }
  }

  /** A connection that broke is open again. */
  reopen(stream: Stream, now: number): void {
    const slot = stream.index
    stream.reopen(now)
    this.submitted[slot] = this.#accepted[slot] = stream.issuedBytes
    this.carry(slot, stream)
    this.send(stream)
  }

  begin(): void {
    for (const stream of this.#traffic!.streams) this.send(stream)
  }

  get hasDirty(): boolean {
    return (this.#dirty.length > 0 && !this.halts) || this.due.length > 0
  }

  /** Bytes came for the stream. Returns false if the connection was closed because of them. */
  protected arrived(slot: number, now: number): boolean {
    const stream = this.#streamOf(slot)
    // Bytes for an idle connection count for no stream.
    if (stream === undefined) return true
    const right = this.give(stream, now)
    this.#countSentOf(slot, stream)
    if (right) this.mark(slot)
    else this.#giveUp(slot, stream)
    return right
  }

  protected onEnded(slot: number, error?: Error): void {
    if (!this.#traffic)
      this.#early.set(slot, error ?? new ClosedError('closed before the load began'))
    const stream = this.#streamOf(slot)
    const name = error ? failureName(error) : 'closedEarly'
    const why = error && reasonWhy(error)
    if (stream && error) stream.fail(counter[name], why)
    else if (!stream && this.#traffic && !this.#traffic.over) {
      this.#meter.counters[counter[name]]!++
      if (error) this.#traffic.evidence.noteReason(name, why)
    }
    stream?.ended()
    this.#closeSlot(slot)
  }

  protected onSentAll(slot: number): void {
    this.#accepted[slot] = this.submitted[slot]!
    if (this.phase[slot] === linkPhase.FINISHING) {
      this.phase[slot] = linkPhase.FINISHED
      this.onSaid(slot)
    } else if (this.#streamOf(slot)) this.mark(slot)
  }

  halt(): boolean {
    let isEnded = true
    for (const [slot, state] of this.table.state.entries()) {
      if (!(state & bit.SENDING)) continue
      isEnded = false
      entries.cancel(this.ring, tag(kind.REST, slot), this.table.generation[slot])
    }
    this.halts = true
    return isEnded
  }

  /** Counts sent messages. While bytes of a connection wait, the messages in them are not sent. */
  #countSentOf(slot: number, stream: LinkStream): void {
    if (!(this.table.state[slot]! & bit.WAITING)) this.#accepted[slot] = this.submitted[slot]!
    stream.onSent(this.#accepted[slot]!, this.#submittedNs)
  }

  countSent(): void {
    for (const stream of this.#traffic!.streams)
      if (this.#isOpen(stream.index)) this.#countSentOf(stream.index, stream)
  }

  /** Whether the connection is open, and its handshake is done. */
  #isOpen(slot: number): boolean {
    return this.phase[slot]! > linkPhase.HANDSHAKE
  }

  /** Marks a connection: flush() issues all messages that may go now, and submits them. */
  send(stream: Stream): void {
    if (this.#isOpen(stream.index)) this.mark(stream.index)
    else if (this.#traffic!.over) this.#leave(stream)
  }

  protected mark(slot: number): void {
    if (this.#isDirty[slot]) return
    this.#isDirty[slot] = 1
    this.#dirty.push(slot)
  }

  flush(): void {
    if (this.#dirty.length === 0 || this.halts) return
    const dirty = this.#dirty
    const now = nowNs()
    this.#submittedNs = now
    this.#dirty = []
    for (const slot of dirty) {
      this.#isDirty[slot] = 0
      if (this.table.state[slot] === 0 || this.phase[slot] !== linkPhase.OPEN) continue
      const stream = this.#streamOf(slot)!
      stream.issue(now)
      this.#submitDue(slot, stream)
    }
  }

  #submitDue(slot: number, stream: LinkStream): void {
    const untilBytes = this.submitted[slot]! + perTurnMaxBytes
    while (this.submitted[slot]! < stream.issuedBytes) {
      // The connection is handled again when the rest is sent.
      if (this.table.state[slot]! & bit.WAITING) return
      const left = untilBytes - this.submitted[slot]!
      if (left <= 0) return this.mark(slot)
      this.submit(slot, stream, this.#traffic!, left)
      if (this.table.state[slot] === 0) return
    }
    if (!stream.done || this.table.state[slot]! & bit.WAITING) return
    this.phase[slot] = linkPhase.FINISHING
    this.sayEnd(slot)
    this.out.sends.later(slot)
  }

  giveUp(stream: Stream): void {
    if (!this.#isOpen(stream.index)) return this.#leave(stream)
    this.#giveUp(stream.index, stream)
  }

  #giveUp(slot: number, stream: LinkStream): void {
    stream.failed = true
    stream.ended()
    this.#closeSlot(slot)
  }

  #closeSlot(slot: number): void {
    if (!this.#isOpen(slot)) return this.dropHandshake(slot)
    const short = this.#shorts.get(slot)
    const stream = this.#traffic?.streams[slot]
    if (stream) this.#countSentOf(slot, stream)
    this.closeLink(slot)
    this.#shorts.delete(slot)
    if (short) return short.onClosed(slot)
    this.#meter.counters[counter.closed]!++
    if (!stream) return
    if (stream.broken && !this.#traffic!.over) return this.#redials!.begin(stream, nowNs())
    stream.leave()
    this.open--
  }

  /** A slot that is connected sends the message of a short connection. */
  carryShort(slot: number, stream: LinkStream, onClosed: (slot: number) => void): void {
    this.#shorts.set(slot, { stream, onClosed })
    this.submitted[slot] = this.#accepted[slot] = 0
    this.mark(slot)
  }

  closeShort(slot: number): void {
    this.#closeSlot(slot)
  }

  /** Whether the FIN of a slot is on its way. While it is, no other connection may use the slot. */
  isFinishing(slot: number): boolean {
    return this.out.isFinishing(slot)
  }

  onFinished(slot: number): void {
    this.out.onFinished(slot)
  }

  /** Nothing more is planned, so a broken connection is not opened again. */
  #leave(stream: Stream): void {
    if (!stream.broken) return
    this.#redials!.cancel(stream)
    stream.leave()
    this.open--
  }

  closeAll(): void {
    for (let slot = 0; slot < this.table.slotsUsed; slot++) this.#closeSlot(slot)
  }
}
