/**
 * What happens on each connection. A connection is a slot in the ring's table of direct
 * descriptors, and its state a few bits in typed arrays: an idle one costs bytes, not objects.
 *
 * What a turn has received is sent with the next wait, without waiting for room: so every buffer is
 * free one turn later, and a client that does not read cannot hold the pool. Bytes without room are
 * copied (unsent.ts), and no more is read until they are sent. Large flows: bulk.ts.
 */
import { getSystemErrorName } from 'node:util'
import { counter, type Meter } from '../../metrics/meter.ts'
import { failureName } from '../failures.ts'
import { systemError } from '../os/libc.ts'
import type { Arena, BufferPool } from './buffers.ts'
import type { ClientLedger } from './client-ledger.ts'
import { muchBytes, type Bulk } from './bulk.ts'
import * as entries from './entries.ts'
import { kind, tag } from './entries.ts'
import * as k from './kernel.ts'
import type { Ring } from './ring.ts'
import { Sends, type Turn } from './sends.ts'
import * as bit from './state.ts'
import { Unsent, unsentMaxBytes } from './unsent.ts'

export class Connections {
  /** How many connections are open. */
  open = 0
  /** One more than the highest slot that was ever in use. */
  slotsUsed = 0
  readonly #ring: Ring
  readonly #pool: BufferPool
  readonly #counters: Float64Array
  readonly #onClosed: () => void
  readonly #ledger: ClientLedger | undefined
  readonly #state: Uint8Array
  readonly #generation: Uint16Array
  /** The number of the scan (see closeIdle) before which something last moved. */
  readonly #lastMove: Uint32Array
  readonly #sends: Sends
  readonly #unsent: Unsent
  readonly #bulk: Bulk
  #scan = 1

  constructor(
    { ring, pool, arena, bulk }: { ring: Ring; pool: BufferPool; arena: Arena; bulk: Bulk },
    meter: Meter,
    slots: number,
    onClosed: () => void,
    ledger: ClientLedger | undefined,
  ) {
    this.#ring = ring
    this.#pool = pool
    this.#sends = new Sends(ring, pool, slots)
    this.#unsent = new Unsent(arena)
    this.#bulk = bulk
    this.#counters = meter.counters
    this.#onClosed = onClosed
    this.#ledger = ledger
    this.#state = new Uint8Array(slots)
    this.#generation = new Uint16Array(slots)
    this.#lastMove = new Uint32Array(slots)
  }

  onAccepted(slot: number): void {
    this.open++
    this.#counters[counter.opened]!++
    if (slot >= this.slotsUsed) this.slotsUsed = slot + 1
    this.#state[slot] = bit.OPEN
    this.#lastMove[slot] = this.#scan
    this.#ledger?.opened(slot, this.#generation[slot]!)
    this.#armRecv(slot)
  }

  onRecv(slot: number, generation: number, result: number, flags: number): void {
    if (generation !== this.#generation[slot]) return
    const more = flags & k.cqe.MORE
    if (!more) this.#state[slot]! &= ~bit.ARMED
    if (result > 0) this.#onData(slot, result, flags)
    else if (result === 0) this.#state[slot]! |= bit.ENDED
    else if (result !== k.error.NOBUFS && result !== k.ECANCELED) this.#fail(slot, result)
    // There was no free buffer: receive again next turn, when there are buffers.
    if (result === k.error.NOBUFS) this.#sends.later(slot)
    else if (!more) this.#proceed(slot)
  }

  /** A send of the last turn, or of this one if the queue was full, did not go through whole. */
  onSendFailed(parity: number, index: number, result: number): void {
    const list = this.#sends.listOf(parity)
    const slot = list.slot[index]!
    if (list.generation[index] !== this.#generation[slot]) return
    const sent = result > 0 ? result : 0
    const unsent = list.length[index]! - sent
    this.#counters[counter.bytesOut]! -= unsent
    if (result < 0 && result !== k.error.AGAIN) this.#fail(slot, result)
    else if (!(this.#state[slot]! & bit.DEAD))
      this.#keepUnsent(slot, list.at[index]! + sent, unsent, true)
    this.#proceed(slot)
  }

  onRest(slot: number, result: number): void {
    this.#state[slot]! &= ~bit.SENDING
    if (result <= 0 || this.#state[slot]! & bit.DEAD) this.#fail(slot, result)
    else {
      this.#counters[counter.bytesOut]! += result
      this.#lastMove[slot] = this.#scan
      if (!this.#unsent.take(slot, result)) this.#state[slot]! &= ~bit.WAITING
    }
    this.#proceed(slot)
  }

  /** A large flow got its descriptor: moving begins once the receive of its slot has ended. */
  onInstalled(slot: number, generation: number, fd: number): void {
    const state = generation === this.#generation[slot] ? this.#state[slot]! : bit.DEAD
    const wanted = !(state & (bit.DEAD | bit.LEAVING))
    if (fd < 0 || !this.#bulk.begin(slot, fd, wanted)) return
    if (state & bit.ARMED) entries.cancel(this.#ring, tag(kind.RECV, slot), generation)
  }

  onPolled(slot: number, generation: number, result: number): void {
    if (generation !== this.#generation[slot]) return
    this.#state[slot]! &= ~bit.ARMED
    if (this.#bulk.has(slot) && !(this.#state[slot]! & bit.DEAD)) {
      // The poll reports only a FIN, and would again and again: a send that waits sends what the
      // pipe has.
      const fin = this.#bulk.inPipeOf(slot) > 0 && !(result & (k.POLLOUT | k.POLLERR | k.POLLHUP))
      const moved = result < 0 || fin ? 0 : this.#bulk.move(slot)
      if (moved > 0) this.#lastMove[slot] = this.#scan
      else if (moved === 0) this.#addUnsent(slot, this.#bulk.copyOut(slot), false)
      else if (moved !== k.error.AGAIN) this.#fail(slot, moved)
    }
    this.#proceed(slot)
  }

  /** Received and not sent back yet. */
  unsentOf = (slot: number): number => this.#unsent.bytesOf(slot) + this.#bulk.inPipeOf(slot)

  #onData(slot: number, length: number, flags: number): void {
    const at = this.#sends.received(length, flags)
    const [state, generation] = [this.#state[slot]!, this.#generation[slot]!]
    if (state & (bit.DEAD | bit.LEAVING)) {
      this.#counters[counter.bytesDiscarded]! += length
      return
    }
    this.#counters[counter.chunks]!++
    this.#counters[counter.bytesIn]! += length
    this.#lastMove[slot] = this.#scan
    if (this.#ledger !== undefined) this.#ledger.received[slot]! += length
    if (length >= muchBytes) this.#bulk.count(slot, generation)
    if (state & bit.WAITING) this.#keepUnsent(slot, at, length, false)
    else if (this.#sends.send(slot, generation, at, length))
      this.#counters[counter.bytesOut]! += length
    else {
      this.#keepUnsent(slot, at, length, false)
      this.#sends.later(slot)
    }
  }

  #armRecv(slot: number): void {
    const generation = this.#generation[slot]!
    if (!this.#bulk.has(slot)) entries.receive(this.#ring, slot, generation)
    else if (!this.#bulk.watch(slot, generation)) return
    this.#state[slot]! |= bit.ARMED
  }

  #cancelRecv(slot: number): void {
    if (!(this.#state[slot]! & bit.ARMED)) return
    const what = this.#bulk.has(slot) ? kind.POLL : kind.RECV
    entries.cancel(this.#ring, tag(what, slot), this.#generation[slot])
  }

  #sendRest(slot: number): void {
    const { address, length } = this.#unsent.oldest(slot)
    this.#state[slot]! |= bit.SENDING
    entries.send(this.#ring, slot, address, length)
  }

  /** Copies unsent bytes of the pool; `front`: they are older than all other unsent bytes. */
  #keepUnsent(slot: number, at: number, length: number, front: boolean): void {
    const bytes = this.#pool.bytes.subarray(at, at + length)
    if (this.#addUnsent(slot, bytes, front) > unsentMaxBytes) this.#cancelRecv(slot)
  }

  #addUnsent(slot: number, bytes: Uint8Array, front: boolean): number {
    if (bytes.length === 0) return 0
    this.#state[slot]! |= bit.WAITING
    return this.#unsent.add(slot, bytes, front)
  }

  #fail(slot: number, result: number): void {
    this.#ledger?.failed(slot, result)
    if (!(this.#state[slot]! & bit.DEAD) && result < 0)
      this.#counters[counter[failureName(systemError(getSystemErrorName(result)))]]!++
    this.#giveUp(slot)
  }

  /** Stops sending, and closes when nothing is in flight. */
  #giveUp(slot: number): void {
    this.#state[slot]! |= bit.DEAD
    this.#cancelRecv(slot)
    if (this.#state[slot]! & bit.SENDING) {
      entries.cancel(this.#ring, tag(kind.REST, slot))
      return
    }
    this.#unsent.drop(slot)
    this.#state[slot]! &= ~bit.WAITING
  }

  /** Decides what comes next for a connection, as soon as the sends of its turn are known. */
  #proceed(slot: number): void {
    if (this.#sends.isOpen(slot)) {
      this.#sends.later(slot)
      return
    }
    const state = this.#state[slot]!
    if (state === 0 || state & bit.SENDING) return
    if (state & bit.WAITING) this.#sendRest(slot)
    else if (state & (bit.DEAD | bit.ENDED)) {
      if (!(state & bit.ARMED)) this.#close(slot)
    } else {
      const leaves = (state & (bit.LEAVING | bit.FINISHED)) === bit.LEAVING
      if (leaves && this.#bulk.inPipeOf(slot) === 0) {
        if (this.#bulk.has(slot)) {
          this.#cancelRecv(slot)
          this.#bulk.end(slot)
        }
        this.#state[slot]! |= bit.FINISHED
        entries.finish(this.#ring, slot)
      }
      if (!(state & bit.ARMED)) this.#armRecv(slot)
    }
  }

  #close(slot: number): void {
    this.#ledger?.closed(slot, this.unsentOf(slot))
    this.#bulk.end(slot)
    entries.close(this.#ring, slot)
    this.#state[slot] = 0
    this.#generation[slot]!++
    this.open--
    this.#counters[counter.closed]!++
    this.#onClosed()
  }

  /** What the waiter needs to know before the next wait. */
  beginTurn(): Turn {
    return this.#sends.beginTurn(this.#bulk.takeMoved())
  }

  /** To be called when everything that the last turn submitted is known: its buffers are free. */
  endTurn(due: readonly number[]): void {
    for (const slot of due) this.#proceed(slot)
    this.#sends.endTurn()
  }

  /** Scans all connections; closes those on which nothing has moved for so many scans. */
  closeIdle(scans: number): void {
    this.#scan++
    this.#forEachServed(slot => {
      if (this.#scan - this.#lastMove[slot]! < scans) return
      this.#counters[counter.idleClosed]!++
      this.#ledger?.closing(slot, 'idle')
      this.#giveUp(slot)
    })
  }

  /** Scans all connections; sends FIN to those that were quiet since the last scan, or to all. */
  leave(all: boolean): void {
    this.#scan++
    this.#forEachServed(slot => {
      if (all || this.#scan - this.#lastMove[slot]! >= 2) this.#state[slot]! |= bit.LEAVING
    })
  }

  #forEachServed(change: (slot: number) => void): void {
    for (let slot = 0; slot < this.slotsUsed; slot++) {
      const before = this.#state[slot]!
      if (before === 0 || before & (bit.DEAD | bit.LEAVING)) continue
      change(slot)
      if (this.#state[slot] !== before) this.#proceed(slot)
    }
  }

  /** Closes what the kernel does not close with the ring. */
  close(): void {
    this.#bulk.close()
  }

  onTick(): void {
    const { rested, still } = this.#bulk.onTick()
    for (const slot of rested) this.#proceed(slot)
    for (const slot of still) this.#cancelRecv(slot)
  }

  /** Closes a connection, whatever is in flight. */
  giveUp(slot: number): void {
    if (!this.#state[slot]) return
    this.#giveUp(slot)
    this.#proceed(slot)
  }
}
