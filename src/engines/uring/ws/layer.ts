/**
 * WebSocket below the echo (RFC 6455). Frames are answered from the memory in which they came: the
 * header of an answer is never longer than the header of the frame, so it fits in front of the
 * payload, which stays where it is. Further frames in the same bytes are moved up to the answer.
 */
import { counter, type FailureName, type Meter } from '../../../metrics/meter.ts'
import type { ServeTask } from '../../../task.ts'
import { closeFrame, goingAway } from '../../../wire/ws/closing.ts'
import { found, WsFrameReader } from '../../../wire/ws/frame-reader.ts'
import { frameHeader, headBytes, opcode, putHeader } from '../../../wire/ws/frames.ts'
import { Memory } from '../../../wire/ws/mask.ts'
import { closeWithinMs, lingerMs, partingOf, type Parting } from '../../leave.ts'
import type { Layer, SendMemory, Wire } from '../layer.ts'
import { Upgrades } from './upgrades.ts'

/** The phases of a connection. */
const phase = {
  /** Nothing has come. */
  SILENT: 0,
  UPGRADING: 1,
  OPEN: 2,
  /** We have sent a close frame, and the client has not sent its own yet. */
  CLOSING: 3,
  /** Nothing more is sent, and nothing more is read but FIN. */
  DONE: 4,
} as const

/** The stage of each phase, for the policy of leaving. */
const stages = ['silent', 'handshake', 'open', 'told', 'over'] as const

export class WsLayer implements Layer {
  readonly source: SendMemory
  readonly #memory: Memory
  readonly #messageMaxBytes: number
  readonly #closeMs: number
  readonly #upgrades: Upgrades
  readonly #counters: Float64Array
  readonly #received: Float64Array | undefined
  readonly #phase: Uint8Array
  readonly #readers: (WsFrameReader | undefined)[] = []
  /** When a connection is closed if the client does not close it, in ms. */
  readonly #deadlines = new Map<number, number>()
  /**
   * For the last bytes of each connection: the turn in which they came, where they ended, and where
   * their answer ended.
   */
  readonly #cameIn: Uint32Array
  readonly #cameTo: Uint32Array
  readonly #sentTo: Int32Array
  #turn = 1
  /**
   * Where the bytes that are being read begin, and where their answer begins (-1: there is none).
   */
  #begin = 0
  #answer = -1
  wire!: Wire

  /**
   * @param source the memory in which bytes come, and from which answers are sent
   * @param received counts for the ledger, by slot
   * @param someoneWaits whether a client waits to be accepted
   */
  constructor(
    source: SendMemory,
    task: ServeTask,
    meter: Meter,
    slots: number,
    received: Float64Array | undefined,
    someoneWaits: () => boolean,
  ) {
    this.source = source
    this.#memory = new Memory(source.bytes)
    this.#messageMaxBytes = task.web.messageMaxBytes
    this.#closeMs = closeWithinMs(task.drainMs)
    this.#counters = meter.counters
    this.#received = received
    this.#phase = new Uint8Array(slots)
    this.#cameIn = new Uint32Array(slots)
    this.#cameTo = new Uint32Array(slots)
    this.#sentTo = new Int32Array(slots)
    this.#upgrades = new Upgrades(source.bytes, task, this.#counters, someoneWaits, slot =>
      this.wire.refuse(slot, 'timedOut'),
    )
  }

  opened(slot: number): void {
    this.#upgrades.add(slot)
  }

  received(slot: number, at: number, length: number, discards: boolean): void {
    const now = this.#phase[slot]!
    if (now === phase.DONE) return
    if (now === phase.OPEN || now === phase.CLOSING)
      return this.#read(slot, at, at + length, discards)
    this.#phase[slot] = phase.UPGRADING
    const answer = this.#upgrades.received(slot, at, length)
    if (answer === undefined) return
    this.wire.sendBytes(slot, answer.bytes)
    if (!answer.isAccepted) return this.#done(slot, lingerMs, 'protocol')
    this.#phase[slot] = phase.OPEN
    this.#readers[slot] = new WsFrameReader(true, this.#messageMaxBytes)
    // A server that leaves may have waited for this.
    this.wire.later(slot)
    if (answer.restAt < at + length) this.#read(slot, answer.restAt, at + length, discards)
  }

  #read(slot: number, from: number, to: number, discards: boolean): void {
    const reader = this.#readers[slot]!
    // If these bytes lie right behind others of this turn, their answer is put right behind the
    // other answer.
    const follows = this.#cameIn[slot] === this.#turn && this.#cameTo[slot] === from
    this.#answer = follows ? this.#sentTo[slot]! : -1
    this.#begin = from
    reader.cursor = this.#answer
    reader.give(this.#memory, from, to)
    for (let what; (what = reader.next()) !== found.NONE;) {
      if (what === found.MESSAGE) this.#onMessage(slot, reader, discards)
      else if (what === found.PING) this.#onPing(slot, reader)
      else if (what === found.CLOSE) return this.#onClose(slot, reader)
      else if (what === found.FAILURE) return this.#onFailure(slot, reader)
    }
    this.#send(slot, reader)
    this.#cameIn[slot] = this.#turn
    this.#cameTo[slot] = to
    this.#sentTo[slot] = reader.cursor
  }

  #onMessage(slot: number, reader: WsFrameReader, discards: boolean): void {
    const [counters, { length }] = [this.#counters, reader]
    if (discards || this.#phase[slot] !== phase.OPEN) {
      counters[counter.bytesDiscarded]! += length
      return
    }
    this.#put(slot, reader, reader.opcode)
    counters[counter.chunks]!++
    counters[counter.bytesIn]! += length
    counters[counter.bytesOut]! += length
    if (this.#received !== undefined) this.#received[slot]! += length
  }

  #onPing(slot: number, reader: WsFrameReader): void {
    if (this.#phase[slot] === phase.OPEN) this.#put(slot, reader, opcode.pong)
  }

  /** Answers a close frame with the same code and reason. */
  #onClose(slot: number, reader: WsFrameReader): void {
    if (this.#phase[slot] === phase.OPEN) this.#put(slot, reader, opcode.close)
    this.#send(slot, reader)
    this.#done(slot, this.#closeMs)
  }

  #onFailure(slot: number, reader: WsFrameReader): void {
    const { code } = reader
    this.#counters[counter[code === 1009 ? 'messagesTooLong' : 'protocol']]!++
    this.#send(slot, reader)
    if (this.#phase[slot] === phase.OPEN) this.wire.sendBytes(slot, closeFrame(code))
    this.#done(slot, this.#closeMs, 'protocol')
  }

  /** Adds a frame to the answer, with the payload that was found. */
  #put(slot: number, reader: WsFrameReader, code: number): void {
    const { at, length } = reader
    if (reader.isCopy) {
      this.#send(slot, reader)
      this.wire.sendBytes(slot, frameHeader(code, length))
      if (length > 0) this.wire.sendBytes(slot, reader.bytes.subarray(at, at + length))
      return
    }
    const head = at - headBytes(length)
    if (head >= (reader.cursor < 0 ? this.#begin : reader.cursor)) {
      putHeader(this.#memory.bytes, head, code, length, false)
      if (this.#answer === -1) this.#answer = head
    } else {
      // A part of the frame's header came in other bytes, so there is no room here for our header.
      this.#send(slot, reader)
      this.wire.sendBytes(slot, frameHeader(code, length))
      this.#answer = at
    }
    reader.cursor = at + length
  }

  /** Sends the answer as far as it goes. */
  #send(slot: number, reader: WsFrameReader): void {
    const length = reader.cursor - this.#answer
    if (this.#answer === -1 || length === 0) return
    this.wire.send(slot, this.#answer, length, true)
    this.#begin = reader.cursor
    this.#answer = -1
  }

  /** Nothing more is sent. The client has this much time to close. */
  #done(slot: number, withinMs: number, reason?: FailureName): void {
    this.#phase[slot] = phase.DONE
    this.#readers[slot] = undefined
    this.#deadlines.set(slot, performance.now() + withinMs)
    this.wire.leave(slot, reason)
  }

  ended(slot: number): void {
    const answer = this.#upgrades.ended(slot)
    if (answer === undefined) return
    this.wire.sendBytes(slot, answer)
    this.#done(slot, lingerMs, 'protocol')
  }

  broke(slot: number): void {
    this.#upgrades.broke(slot)
    this.#phase[slot] = phase.DONE
  }

  sayEnd(slot: number): Exclude<Parting, 'announce'> {
    const parting = partingOf(stages[this.#phase[slot]!]!, 'ws')
    if (parting !== 'announce') return parting
    this.wire.sendBytes(slot, closeFrame(...goingAway))
    this.#phase[slot] = phase.CLOSING
    return 'later'
  }

  closed(slot: number): void {
    this.#upgrades.delete(slot)
    this.#deadlines.delete(slot)
    this.#readers[slot] = undefined
    this.#phase[slot] = phase.SILENT
  }

  endTurn(): void {
    this.#turn = (this.#turn + 1) >>> 0
  }

  onTick(nowMs: number, isFull: boolean): boolean {
    this.#upgrades.onTick(nowMs, isFull)
    for (const [slot, deadlineMs] of this.#deadlines) {
      if (nowMs < deadlineMs) continue
      this.#deadlines.delete(slot)
      this.wire.refuse(slot, 'timedOut')
    }
    return false
  }

  close(): void {}
}
