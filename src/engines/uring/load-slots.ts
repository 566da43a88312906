/** The connections of a load over plain streams, each in its slot: sends and receives for them. */
import { getSystemErrorName } from 'node:util'
import type { Stream } from '../../load/stream.ts'
import type { Traffic } from '../../load/traffic.ts'
import { counter, type Meter } from '../../metrics/meter.ts'
import { nowNs } from '../../vocabulary/clock.ts'
import { failureName, reasonWhy } from '../failures.ts'
import { systemError } from '../os/libc.ts'
import * as entries from './entries.ts'
import { kind, tag } from './entries.ts'
import * as k from './kernel.ts'
import type { LoadInput } from './load-input.ts'
import type { LoadMover } from './load-mover.ts'
import type { Redials } from './redials.ts'
import type { Ring } from './ring.ts'

/** Up to this size a send does not wait for room; a larger one waits until all of it is sent. */
const atOnceMaxBytes = 16_384

/** Bits of the state of a connection; 0: closed. */
const bit = { OPEN: 1, SENDING: 2, WAITING: 4, DIRTY: 8, FINISHED: 16 } as const

export class LoadSlots implements LoadMover {
  /** Connections that are open, or are to be opened again; without idle ones. */
  open = 0
  readonly #ring: Ring
  readonly #input: LoadInput
  readonly #traffic: Traffic
  readonly #streams: readonly Stream[]
  readonly #meter: Meter
  /** Where the payload's table lies. */
  readonly #tableAddress: number
  readonly #redials: Redials | undefined
  readonly #state: Uint8Array
  /** How often each slot was closed, to recognise what still comes for an older connection. */
  readonly #generation: Uint16Array
  /** How much of each stream is submitted to the kernel, and the length of a send that waits. */
  readonly #submitted: Float64Array
  readonly #sending: Uint32Array
  /** When something was last submitted. */
  #submittedNs = 0
  /** Whether nothing more is sent, and sends that wait are cancelled. */
  #halts = false
  /** Streams with something to send, or whose FIN is due. */
  #dirty: number[] = []

  /** @param count how many slots there are; a slot without a stream is an idle connection */
  constructor(
    ring: Ring,
    input: LoadInput,
    traffic: Traffic,
    redials: Redials | undefined,
    tableAddress: number,
    count: number,
  ) {
    this.#ring = ring
    this.#input = input
    this.#traffic = traffic
    this.#redials = redials
    this.#streams = traffic.streams
    this.#meter = traffic.meter
    this.#tableAddress = tableAddress
    this.#state = new Uint8Array(count).fill(bit.OPEN)
    this.#generation = new Uint16Array(count)
    this.#submitted = new Float64Array(count)
    this.#sending = new Uint32Array(count)
  }

  /** A slot could not be connected. */
  failed(slot: number, error: Error): void {
    this.#state[slot] = 0
    const name = failureName(error)
    this.#traffic.evidence.noteReason(name, reasonWhy(error))
    const stream = this.#streams[slot]
    if (stream) stream.fail(counter[name])
    else this.#meter.counters[counter[name]]!++
  }

  /** Begins to receive on all connections, and to redial those that could not be made. */
  receive(now: number): void {
    for (let slot = 0; slot < this.#state.length; slot++) {
      const stream = this.#streams[slot]
      if (this.#state[slot]) this.#input.receive(slot, 0)
      else if (stream?.broken) this.#redials!.begin(stream, now)
      else continue
      if (stream) this.open++
    }
  }

  /** A connection that broke is open again. */
  reopen(stream: Stream, now: number): void {
    const slot = stream.index
    stream.reopen(now)
    this.#state[slot] = bit.OPEN
    this.#submitted[slot] = stream.issuedBytes
    this.#input.receive(slot, this.#generation[slot]!)
    this.send(stream)
  }

  begin(): void {
    for (const stream of this.#streams) this.send(stream)
  }

  /** Whether flush() has something to do. */
  get hasDirty(): boolean {
    return this.#dirty.length > 0 && !this.#halts
  }

  onRecv(slot: number, generation: number, result: number, flags: number, now: number): void {
    const input = this.#input
    const isCurrent = this.#generation[slot] === generation
    const length = input.lengthOf(result, flags)
    // Bytes for an idle connection, or for one that is closed by now, count for no stream.
    const stream = isCurrent && this.#state[slot] !== 0 ? this.#streams[slot] : undefined
    if (length > 0 && stream) this.#onData(stream, flags, length, now)
    else if (isCurrent && length === 0) this.#onEnd(slot)
    else if (isCurrent && length < 0) this.#onFailed(slot, length)
    if (result > 0) input.giveBack(result, flags)
    if (flags & k.cqe.MORE || !isCurrent || !this.#state[slot]) return
    if (length > 0 || length === k.error.NOBUFS) input.receive(slot, generation)
  }

  #onData(stream: Stream, flags: number, length: number, now: number): void {
    const right = this.#input.deliver(stream, flags, length, now)
    this.#countSentOf(stream.index, stream)
    if (right) this.send(stream)
    else this.giveUp(stream)
  }

  #onFailed(slot: number, result: number): void {
    if (result === k.error.NOBUFS) this.#input.grow()
    else if (result !== k.ECANCELED) this.#onError(slot, result)
  }

  #onEnd(slot: number): void {
    const stream = this.#streams[slot]
    if (stream) stream.ended()
    else if (!this.#traffic.over) this.#meter.counters[counter.closedEarly]!++
    this.#closeSlot(slot)
  }

  #onError(slot: number, result: number): void {
    const error = systemError(getSystemErrorName(result))
    const name = failureName(error)
    const stream = this.#streams[slot]
    if (stream) stream.fail(counter[name], reasonWhy(error))
    else if (!this.#traffic.over) {
      this.#meter.counters[counter[name]]!++
      this.#traffic.evidence.noteReason(name, reasonWhy(error))
    }
    stream?.ended()
    this.#closeSlot(slot)
  }

  /** A send without waiting was not sent whole. The rest is sent by a send that waits. */
  onSendFailed(slot: number, user1: number, result: number): void {
    const [generation, length] = [user1 >>> 16, user1 & 0xffff]
    if (this.#state[slot] === 0 || this.#generation[slot] !== generation) return
    if (result < 0 && result !== k.error.AGAIN) return this.#onError(slot, result)
    this.#submitted[slot]! -= length - Math.max(0, result)
    this.#state[slot]! |= bit.WAITING
    this.#mark(slot)
  }

  onSent(slot: number, generation: number, result: number): void {
    if (this.#state[slot] === 0 || this.#generation[slot] !== generation) return
    this.#state[slot]! &= ~bit.SENDING
    if (result <= 0 && result !== k.ECANCELED) return this.#onError(slot, result)
    this.#submitted[slot]! -= this.#sending[slot]! - Math.max(0, result)
    this.#mark(slot)
  }

  /**
   * Sends nothing more, and cancels sends that wait. Returns whether all of them have ended. To be
   * called until they have: the kernel does not cancel a send on which it works at the moment.
   */
  halt(): boolean {
    let isEnded = true
    for (const [slot, state] of this.#state.entries()) {
      if (!(state & bit.SENDING)) continue
      isEnded = false
      entries.cancel(this.#ring, tag(kind.REST, slot), this.#generation[slot])
    }
    this.#halts = true
    return isEnded
  }

  /**
   * Counts what the kernel has accepted: all that was submitted, without what it has reported as
   * not sent. It reports that before anything comes back.
   */
  #countSentOf(slot: number, stream: Stream): void {
    const state = this.#state[slot]!
    const waiting = state & bit.SENDING ? this.#sending[slot]! : 0
    stream.onSent(this.#submitted[slot]! - waiting, this.#submittedNs)
  }

  countSent(): void {
    for (const stream of this.#streams)
      if (this.#state[stream.index]) this.#countSentOf(stream.index, stream)
  }

  /** Marks a connection: flush() issues all messages that may go now, and submits them. */
  send(stream: Stream): void {
    if (this.#state[stream.index]) this.#mark(stream.index)
    else if (this.#traffic.over) this.#leave(stream)
  }

  #mark(slot: number): void {
    if (this.#state[slot]! & bit.DIRTY) return
    this.#state[slot]! |= bit.DIRTY
    this.#dirty.push(slot)
  }

  /**
   * Issues what the marked streams may send, and submits it: one entry for each. Messages count as
   * sent from that moment, not from the beginning of the turn.
   */
  flush(): void {
    const dirty = this.#dirty
    if (!this.hasDirty) return
    const now = nowNs()
    this.#submittedNs = now
    this.#dirty = []
    for (const slot of dirty) {
      this.#state[slot]! &= ~bit.DIRTY
      if (!(this.#state[slot]! & bit.OPEN)) continue
      const stream = this.#streams[slot]!
      stream.issue(now)
      this.#submit(slot, stream)
    }
  }

  #submit(slot: number, stream: Stream): void {
    const state = this.#state[slot]!
    if (state & bit.SENDING) return
    const { payload } = this.#traffic
    const offset = this.#submitted[slot]!
    const backlog = stream.issuedBytes - offset
    if (backlog === 0) {
      if (stream.done && !(state & bit.FINISHED)) {
        this.#state[slot]! |= bit.FINISHED
        entries.finish(this.#ring, slot)
      }
      return
    }
    const generation = this.#generation[slot]!
    const length = Math.min(backlog, payload.pieceBytes(offset))
    const address = this.#tableAddress + payload.at(stream.connection, offset)
    this.#submitted[slot] = offset + length
    if (length > atOnceMaxBytes || state & bit.WAITING) {
      this.#state[slot] = (state | bit.SENDING) & ~bit.WAITING
      this.#sending[slot] = length
      entries.send(this.#ring, slot, address, length, generation)
    } else {
      entries.sendOnce(this.#ring, slot, address, length, generation)
      // The next piece lies elsewhere in memory; it is sent when this one is known to be sent.
      if (length < backlog) this.#mark(slot)
    }
  }

  giveUp(stream: Stream): void {
    if (!this.#state[stream.index]) return this.#leave(stream)
    stream.failed = true
    stream.ended()
    this.#closeSlot(stream.index)
  }

  /** Closing a direct descriptor does not end operations on it: they have to be cancelled. */
  #closeSlot(slot: number): void {
    const state = this.#state[slot]!
    if (!state) return
    const stream = this.#streams[slot]
    if (stream) this.#countSentOf(slot, stream)
    const generation = this.#generation[slot]!
    if (state & bit.SENDING) entries.cancel(this.#ring, tag(kind.REST, slot), generation)
    entries.cancel(this.#ring, tag(kind.RECV, slot), generation)
    entries.close(this.#ring, slot)
    this.#state[slot] = 0
    this.#generation[slot]!++
    this.#meter.counters[counter.closed]!++
    if (!stream) return
    if (stream.broken && !this.#traffic.over) return this.#redials!.begin(stream, nowNs())
    stream.leave()
    this.open--
  }

  /** Nothing more is planned, so a broken connection is not opened again. */
  #leave(stream: Stream): void {
    if (!stream.broken) return
    this.#redials!.cancel(stream)
    stream.leave()
    this.open--
  }

  closeAll(): void {
    for (let slot = 0; slot < this.#state.length; slot++) this.#closeSlot(slot)
  }
}
