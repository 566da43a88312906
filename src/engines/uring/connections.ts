/**
 * What happens on each connection. A connection is a slot in the ring's table of direct
 * descriptors, and its state a few bits in typed arrays: an idle one costs bytes, not objects.
 *
 * Each has one multishot receive. What a turn has received is sent by entries that are submitted
 * with the next wait. Such a send never waits (MSG_DONTWAIT, MSG_WAITALL) and reports only failure
 * (CQE_SKIP_SUCCESS): when the kernel has taken it, either all its bytes are gone, or a completion
 * says how many are. So every buffer of a turn is free again one turn later, whatever the peers do;
 * one who does not read cannot hold the pool. What he would not take is copied aside, his receive
 * is cancelled, and he is read again when the rest is gone.
 */
import { getSystemErrorName } from 'node:util'
import { counter, type Meter } from '../../metrics/meter.ts'
import { failureName } from '../failures.ts'
import { systemError } from '../libc.ts'
import { Aside } from './aside.ts'
import { Sends, type Arena, type Pool } from './buffers.ts'
import {
  ARMED,
  CANCEL,
  CLOSE,
  DEAD,
  ENDED,
  FINISHED,
  FIRE,
  LEAVING,
  OPEN,
  PATIENT,
  RECV,
  REST,
  SEND,
  SENDING,
  SHUTDOWN,
  SHUT_WR,
  WAITING,
  asideMaxBytes,
  kind,
} from './codes.ts'
import * as k from './kernel.ts'
import type { Ring } from './ring.ts'

const none: readonly number[] = []

export class Connections {
  /** How many are open. */
  open = 0
  /** One more than the highest slot that was ever in use. */
  slotsUsed = 0
  /** Sends in the last turn: a measure of how much goes on. */
  lastSends = 0
  readonly #ring: Ring
  readonly #pool: Pool
  readonly #counters: Float64Array
  readonly #onClosed: () => void
  readonly #state: Uint8Array
  readonly #generation: Uint16Array
  /** The turn in which a connection last sent, and where in that turn's list. */
  readonly #lastTurn: Uint32Array
  readonly #lastSend: Uint16Array
  /** The look (see idle) at which something last moved. */
  readonly #lastMove: Uint32Array
  readonly #aside: Aside
  #look = 1
  #turn = 1
  /** To be looked at when the sends of this turn are known. */
  #checks: number[] = []
  #sends: Sends
  #submitted: Sends

  constructor(
    { ring, pool, arena }: { ring: Ring; pool: Pool; arena: Arena },
    meter: Meter,
    slots: number,
    onClosed: () => void,
  ) {
    this.#ring = ring
    this.#pool = pool
    this.#aside = new Aside(arena)
    this.#counters = meter.counters
    this.#onClosed = onClosed
    this.#state = new Uint8Array(slots)
    this.#generation = new Uint16Array(slots)
    this.#lastTurn = new Uint32Array(slots)
    this.#lastSend = new Uint16Array(slots)
    this.#lastMove = new Uint32Array(slots)
    this.#sends = new Sends(ring.completions)
    this.#submitted = new Sends(ring.completions)
  }

  // --- what the ring reports ---

  onAccepted(slot: number): void {
    this.open++
    this.#counters[counter.opened]!++
    if (slot >= this.slotsUsed) this.slotsUsed = slot + 1
    this.#state[slot] = OPEN
    this.#lastMove[slot] = this.#look
    this.#armRecv(slot)
  }

  onRecv(slot: number, generation: number, result: number, flags: number): void {
    if (generation !== this.#generation[slot]) return
    const more = flags & k.cqe.MORE
    if (!more) this.#state[slot]! &= ~ARMED
    if (result > 0) this.#onData(slot, result, flags)
    else if (result === 0) this.#state[slot]! |= ENDED
    else if (result !== k.error.NOBUFS && result !== k.ECANCELED) this.#fail(slot, result)
    // Without buffers: again next turn, which has them, and not within this one.
    if (result === k.error.NOBUFS) this.#checks.push(slot)
    else if (!more) this.#settle(slot)
  }

  /** A send did not go through whole: one of the turn before, or of this if the queue was full. */
  onSendFailed(parity: number, index: number, result: number): void {
    const list = parity === (this.#turn & 1) ? this.#sends : this.#submitted
    const slot = list.slot[index]!
    if (list.generation[index] !== this.#generation[slot]) return
    const sent = result > 0 ? result : 0
    const unsent = list.length[index]! - sent
    this.#counters[counter.bytesOut]! -= unsent
    if (result < 0 && result !== k.error.AGAIN) this.#fail(slot, result)
    else this.#setAside(slot, list.at[index]! + sent, unsent, true)
    this.#settle(slot)
  }

  onRest(slot: number, result: number): void {
    this.#state[slot]! &= ~SENDING
    if (result <= 0 || this.#state[slot]! & DEAD) this.#fail(slot, result)
    else {
      this.#counters[counter.bytesOut]! += result
      this.#lastMove[slot] = this.#look
      if (!this.#aside.take(slot, result)) this.#state[slot]! &= ~WAITING
    }
    this.#settle(slot)
  }

  #onData(slot: number, length: number, flags: number): void {
    const pool = this.#pool
    const id = flags >>> 16
    const at = id * pool.sizeBytes + pool.used[id]!
    if (flags & k.cqe.BUF_MORE) pool.used[id]! += length
    else this.#sends.spent.push(id)
    const state = this.#state[slot]!
    if (state & (DEAD | LEAVING)) {
      this.#counters[counter.bytesDiscarded]! += length
      return
    }
    this.#counters[counter.chunks]!++
    this.#counters[counter.bytesIn]! += length
    this.#lastMove[slot] = this.#look
    const sentAlready = this.#lastTurn[slot] === this.#turn
    if (state & WAITING) this.#setAside(slot, at, length, false)
    else if (!sentAlready && this.#sends.count < this.#sends.slot.length)
      this.#fire(slot, at, length)
    else if (!sentAlready || !this.#grow(this.#lastSend[slot]!, at, length)) {
      // Two sends submitted together could pass one another, should only the first find no room.
      this.#setAside(slot, at, length, false)
      this.#checks.push(slot)
    }
  }

  // --- entries ---

  #armRecv(slot: number): void {
    this.#state[slot]! |= ARMED
    this.#ring.push(RECV, slot, 0, 0, 0, kind.RECV | slot, this.#generation[slot]!)
  }

  #cancelRecv(slot: number): void {
    if (!(this.#state[slot]! & ARMED)) return
    const at = this.#ring.push(CANCEL, -1, 0, 0, 0, kind.IGNORED, 0)
    this.#ring.sqes[at + 4] = kind.RECV | slot
    this.#ring.sqes[at + 5] = this.#generation[slot]!
  }

  #fire(slot: number, at: number, length: number): void {
    const sends = this.#sends
    const index = sends.count++
    this.#lastTurn[slot] = this.#turn
    this.#lastSend[slot] = index
    sends.slot[index] = slot
    sends.generation[index] = this.#generation[slot]!
    sends.at[index] = at
    sends.length[index] = length
    sends.sequence[index] = this.#ring.tail
    this.#counters[counter.bytesOut]! += length
    const user0 = kind.SEND | (this.#turn & 1)
    this.#ring.push(SEND, slot, this.#pool.address + at, length, FIRE, user0, index)
  }

  /** Lengthens a send of this turn, if the bytes lie right behind and it is not submitted yet. */
  #grow(index: number, at: number, length: number): boolean {
    const [sends, ring] = [this.#sends, this.#ring]
    const sequence = sends.sequence[index]!
    if (sends.at[index]! + sends.length[index]! !== at) return false
    if (((ring.tail - sequence) | 0) > ring.pending) return false
    sends.length[index]! += length
    this.#counters[counter.bytesOut]! += length
    ring.sqes[((sequence & (ring.entries - 1)) << 4) + 6] = sends.length[index]!
    return true
  }

  #sendRest(slot: number): void {
    const { address, length } = this.#aside.oldest(slot)
    this.#state[slot]! |= SENDING
    this.#ring.push(REST, slot, address, length, PATIENT, kind.REST | slot, 0)
  }

  /** Copies bytes of the pool aside; in front if they are older than all that is there. */
  #setAside(slot: number, at: number, length: number, front: boolean): void {
    this.#state[slot]! |= WAITING
    const bytes = this.#pool.bytes.subarray(at, at + length)
    if (this.#aside.add(slot, bytes, front) > asideMaxBytes) this.#cancelRecv(slot)
  }

  // --- ends ---

  #fail(slot: number, result: number): void {
    if (!(this.#state[slot]! & DEAD) && result < 0)
      this.#counters[counter[failureName(systemError(getSystemErrorName(result)))]]!++
    this.#giveUp(slot)
  }

  /** Sends nothing more, and closes when nothing is in flight. */
  #giveUp(slot: number): void {
    this.#state[slot]! |= DEAD
    this.#cancelRecv(slot)
    if (this.#state[slot]! & SENDING) {
      const at = this.#ring.push(CANCEL, -1, 0, 0, 0, kind.IGNORED, 0)
      this.#ring.sqes[at + 4] = kind.REST | slot
      return
    }
    this.#aside.drop(slot)
    this.#state[slot]! &= ~WAITING
  }

  /** Decides what comes next for a connection, as soon as the sends of its turn are known. */
  #settle(slot: number): void {
    if (this.#lastTurn[slot] === this.#turn) {
      this.#checks.push(slot)
      return
    }
    const state = this.#state[slot]!
    if (state === 0 || state & SENDING) return
    if (state & WAITING) this.#sendRest(slot)
    else if (state & (ENDED | DEAD)) {
      if (!(state & ARMED)) this.#close(slot)
    } else {
      if ((state & (LEAVING | FINISHED)) === LEAVING) this.#finish(slot)
      if (!(state & ARMED)) this.#armRecv(slot)
    }
  }

  #finish(slot: number): void {
    this.#state[slot]! |= FINISHED
    this.#ring.push(SHUTDOWN, slot, 0, SHUT_WR, 0, kind.IGNORED, 0)
  }

  #close(slot: number): void {
    const at = this.#ring.push(CLOSE, 0, 0, 0, 0, kind.IGNORED, 0)
    // A direct descriptor is named by its slot, counted from one.
    this.#ring.sqes[at + 11] = slot + 1
    this.#state[slot] = 0
    this.#generation[slot]!++
    this.open--
    this.#counters[counter.closed]!++
    this.#onClosed()
  }

  // --- turns, looks and leave ---

  /** To be called when everything that the last turn submitted is known: its buffers are free. */
  endTurn(due: readonly number[]): void {
    for (const slot of due) this.#settle(slot)
    const { spent } = this.#submitted
    if (spent.length > 0) {
      for (const id of spent) this.#pool.give(id)
      spent.length = 0
      this.#pool.publish()
    }
    this.#submitted.count = 0
    const sends = this.#submitted
    this.#submitted = this.#sends
    this.#sends = sends
    this.lastSends = this.#submitted.count
    this.#turn = (this.#turn + 1) >>> 0
  }

  /** Those to be settled at the end of the coming turn. */
  takeUnsettled(): readonly number[] {
    const due = this.#checks
    if (due.length === 0) return none
    this.#checks = []
    return due
  }

  /** Looks at all; closes those on which nothing has moved for so many looks. */
  closeIdle(looks: number): void {
    this.#look++
    for (let slot = 0; slot < this.slotsUsed; slot++) {
      if (this.#isServed(slot) && this.#look - this.#lastMove[slot]! >= looks) {
        this.#counters[counter.idleClosed]!++
        this.#giveUp(slot)
        this.#settle(slot)
      }
    }
  }

  /** Looks at all; takes leave of those on which nothing has moved since the last look, or of all. */
  leave(all: boolean): void {
    this.#look++
    for (let slot = 0; slot < this.slotsUsed; slot++) {
      if (!this.#isServed(slot)) continue
      if (!all && this.#look - this.#lastMove[slot]! < 2) continue
      this.#state[slot]! |= LEAVING
      this.#settle(slot)
    }
  }

  /** Closes all, whatever they do. */
  abandon(): void {
    for (let slot = 0; slot < this.slotsUsed; slot++) {
      if (this.#state[slot] === 0) continue
      this.#giveUp(slot)
      this.#settle(slot)
    }
  }

  #isServed(slot: number): boolean {
    const state = this.#state[slot]!
    return state !== 0 && (state & (DEAD | LEAVING)) === 0
  }
}
