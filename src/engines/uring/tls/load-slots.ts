/** The connections of a load over TLS: what is encrypted and sent, and what comes back. */
import type { Stream } from '../../../load/stream.ts'
import type { Traffic } from '../../../load/traffic.ts'
import { counter, type Meter } from '../../../metrics/meter.ts'
import type { LoadTask } from '../../../task.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import { handshakeCut } from '../../../wire/tls/failures.ts'
import { failureName, reasonWhy } from '../../failures.ts'
import * as entries from '../entries.ts'
import { kind, tag } from '../entries.ts'
import type { LoadMover } from '../load-mover.ts'
import * as bit from '../state.ts'
import { ClientLinks, phase, type Parts } from './client-links.ts'

/** How much of a stream is encrypted in a turn: the others have their turn, too. */
const perTurnMaxBytes = 262_144
const pieceMaxBytes = 65_536

export class TlsLoadSlots extends ClientLinks implements LoadMover {
  /** Connections that are open, without idle ones. */
  open = 0
  /** Called when a handshake is done. */
  onHandshake: (slot: number) => void = () => {}
  readonly #meter: Meter
  /** Undefined until the load begins: handshakes come before. */
  #traffic: Traffic | undefined
  /** Connections that have ended before the load began. */
  readonly #early = new Map<number, Error>()
  /** Where the payload's table lies. */
  #tableAddress = 0
  /** Plain bytes that were encrypted, and those of them that the kernel has accepted. */
  readonly #submitted: Float64Array
  readonly #accepted: Float64Array
  /** When something was last submitted. */
  #submittedNs = 0
  readonly #isDirty: Uint8Array
  /** Streams with something to send, or that are done. */
  #dirty: number[] = []

  constructor(parts: Parts, task: LoadTask, meter: Meter) {
    const count = Math.max(1, task.connections + task.idle)
    super(parts, task, count)
    this.#meter = meter
    this.#submitted = new Float64Array(count)
    this.#accepted = new Float64Array(count)
    this.#isDirty = new Uint8Array(count)
  }

  /** The load begins, with what it sends. */
  start(traffic: Traffic, tableAddress: number): void {
    this.#traffic = traffic
    this.#tableAddress = tableAddress
    for (const [slot, error] of this.#early) this.failed(slot, error)
  }

  #streamOf(slot: number): Stream | undefined {
    return this.#traffic?.streams[slot]
  }

  failed(slot: number, error: Error): void {
    const name = failureName(error)
    this.#traffic!.evidence.noteReason(name, reasonWhy(error))
    const stream = this.#streamOf(slot)
    if (stream) stream.fail(counter[name])
    else this.#meter.counters[counter[name]]!++
  }

  /** All receive since their handshakes; some may have ended meanwhile. */
  receive(): void {
    for (const { index } of this.#traffic!.streams) if (this.table.state[index]) this.open++
  }

  begin(): void {
    for (const stream of this.#traffic!.streams) this.send(stream)
  }

  get hasDirty(): boolean {
    return (this.#dirty.length > 0 && !this.halts) || this.due.length > 0
  }

  protected onOpen(slot: number): void {
    this.onHandshake(slot)
  }

  protected arrived(slot: number, length: number, now: number): boolean {
    const stream = this.#streamOf(slot)
    // Bytes for an idle connection count for no stream.
    if (stream === undefined) return true
    const right = stream.arrived(this.records.plainBytes, 0, length, now)
    this.#countSentOf(slot, stream)
    if (right) this.send(stream)
    else this.giveUp(stream)
    return right
  }

  protected onEnded(slot: number, error?: Error): void {
    if (!this.#traffic) this.#early.set(slot, error ?? handshakeCut())
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
    this.#accepted[slot] = this.#submitted[slot]!
    if (this.phase[slot] === phase.FINISHING) {
      this.phase[slot] = phase.FINISHED
      entries.finish(this.ring, slot)
    } else if (this.#streamOf(slot)) this.#mark(slot)
  }

  halt(): boolean {
    let isEnded = true
    for (const [slot, state] of this.table.state.entries()) {
      if (!(state & bit.SENDING)) continue
      isEnded = false
      entries.cancel(this.ring, tag(kind.REST, slot))
    }
    this.halts = true
    return isEnded
  }

  /** While some of a connection's records wait, what they hold counts as not sent. */
  #countSentOf(slot: number, stream: Stream): void {
    if (!(this.table.state[slot]! & bit.WAITING)) this.#accepted[slot] = this.#submitted[slot]!
    stream.onSent(this.#accepted[slot]!, this.#submittedNs)
  }

  countSent(): void {
    for (const stream of this.#traffic!.streams)
      if (this.table.state[stream.index]) this.#countSentOf(stream.index, stream)
  }

  /** Marks a connection: flush() issues all messages that may go now, and submits them. */
  send(stream: Stream): void {
    if (this.table.state[stream.index]) this.#mark(stream.index)
  }

  #mark(slot: number): void {
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
      if (this.table.state[slot] === 0 || this.phase[slot] !== phase.OPEN) continue
      const stream = this.#streamOf(slot)!
      stream.issue(now)
      this.#submit(slot, stream)
    }
  }

  #submit(slot: number, stream: Stream): void {
    const { payload } = this.#traffic!
    const connection = this.connections[slot]!
    for (let left = perTurnMaxBytes; ;) {
      // It is dealt with again when the rest is sent.
      if (this.table.state[slot]! & bit.WAITING) return
      const offset = this.#submitted[slot]!
      const backlog = stream.issuedBytes - offset
      if (backlog === 0) break
      if (left <= 0) return this.#mark(slot)
      const length = Math.min(backlog, payload.pieceBytes(offset), pieceMaxBytes)
      const address = this.#tableAddress + payload.at(stream.connection, offset)
      if (!this.records.write(connection, address, length))
        return this.fail(slot, this.records.failure(connection))
      this.#submitted[slot] = offset + length
      left -= length
      this.sendRecords(slot)
    }
    if (!stream.done) return
    this.phase[slot] = phase.FINISHING
    this.records.sayEnd(connection)
    this.sendRecords(slot)
    this.out.sends.later(slot)
  }

  giveUp(stream: Stream): void {
    if (!this.table.state[stream.index]) return
    stream.failed = true
    stream.ended()
    this.#closeSlot(stream.index)
  }

  #closeSlot(slot: number): void {
    if (!this.table.state[slot]) return
    const stream = this.#streamOf(slot)
    if (stream) this.#countSentOf(slot, stream)
    this.closeLink(slot)
    this.#meter.counters[counter.closed]!++
    if (stream) this.open--
  }

  closeAll(): void {
    for (let slot = 0; slot < this.table.slotsUsed; slot++) this.#closeSlot(slot)
  }
}
