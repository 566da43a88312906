/**
 * What happens on each connection. A connection is a slot in the ring's table of direct
 * descriptors, and its state a few bits in typed arrays: an idle one costs bytes, not objects.
 *
 * What a turn has received is sent with the next wait, without waiting for room: so every buffer is
 * free one turn later, and a client that does not read cannot hold buffers. Bytes without room are
 * copied (unsent.ts), and no more is read until they are sent. Large flows: bulk.ts.
 */
import { getSystemErrorName } from 'node:util'
import { counter, type Meter } from '../../metrics/meter.ts'
import { failureName } from '../failures.ts'
import { nextStep, partingOf, type DrainTime } from '../leave.ts'
import { isIdle } from '../slow-clients.ts'
import { POLLERR, POLLHUP, POLLOUT } from '../os/kernel-numbers.ts'
import { systemError } from '../os/libc.ts'
import type { Arena, BufferRing } from './memory.ts'
import type { ClientLedger } from './client-ledger.ts'
import { muchBytes, type Bulk } from './bulk.ts'
import * as entries from './entries.ts'
import { kind, tag } from './entries.ts'
import * as k from './kernel.ts'
import type { Layer } from './layer.ts'
import { Outgoing } from './outgoing.ts'
import type { Ring } from './ring.ts'
import type { Sends, Turn } from './sends.ts'
import * as bit from './state.ts'
import { SlotTable } from './table.ts'
import { wireOf } from './wire.ts'

interface ConnectionMemory {
  ring: Ring
  bufferRing: BufferRing
  arena: Arena
  bulk: Bulk
  /** The protocol above the socket; undefined: bytes are echoed as they are. */
  layer: Layer | undefined
}

export class Connections {
  readonly table: SlotTable
  readonly #ring: Ring
  readonly #counters: Float64Array
  readonly #onClosed: () => void
  readonly #ledger: ClientLedger | undefined
  readonly #state: Uint8Array
  readonly #generation: Uint16Array
  readonly #out: Outgoing
  readonly #sends: Sends
  readonly #bulk: Bulk
  readonly #layer: Layer | undefined

  constructor(
    memory: ConnectionMemory,
    meter: Meter,
    slots: number,
    onClosed: () => void,
    ledger: ClientLedger | undefined,
  ) {
    const { ring, bufferRing, bulk, layer } = memory
    this.#ring = ring
    this.table = new SlotTable(slots)
    this.#out = new Outgoing(memory, layer?.source ?? bufferRing, this.table, this.#cancelRecv)
    this.#sends = this.#out.sends
    this.#bulk = bulk
    this.#counters = meter.counters
    this.#onClosed = onClosed
    this.#ledger = ledger
    this.#state = this.table.state
    this.#generation = this.table.generation
    this.#layer = layer
    const parts = { table: this.table, out: this.#out }
    if (layer) layer.wire = wireOf(parts, ledger, this.#cancelRecv, slot => this.giveUp(slot))
  }

  onAccepted(slot: number): void {
    this.#counters[counter.opened]!++
    this.table.onOpened(slot)
    this.#layer?.opened(slot)
    this.#ledger?.opened(slot, this.#generation[slot]!)
    this.#armRecv(slot)
  }

  onRecv(slot: number, generation: number, result: number, flags: number): void {
    if (generation !== this.#generation[slot]) return
    const more = flags & k.cqe.MORE
    if (!more) this.#state[slot]! &= ~bit.ARMED
    if (result > 0) this.#onData(slot, result, flags)
    else if (result === 0) this.#onFin(slot)
    else if (result !== k.error.NOBUFS && result !== k.ECANCELED) this.#fail(slot, result)
    // There was no free buffer: receive again next turn, when there are buffers.
    if (result === k.error.NOBUFS) this.#sends.later(slot)
    else if (!more) this.#proceed(slot)
  }

  #onFin(slot: number): void {
    const isNew = !(this.#state[slot]! & (bit.ENDED | bit.DEAD))
    this.#state[slot]! |= bit.ENDED
    if (isNew) this.#layer?.ended(slot)
  }

  /** A send of the last turn, or of this one if the queue was full, did not go through whole. */
  onSendFailed(parity: number, index: number, result: number): void {
    const list = this.#sends.listOf(parity)
    const slot = list.slot[index]!
    if (list.generation[index] !== this.#generation[slot]) return
    const sent = result > 0 ? result : 0
    const unsent = list.length[index]! - sent
    this.#countOut(-unsent)
    if (result < 0 && result !== k.error.AGAIN) this.#fail(slot, result)
    else if (!(this.#state[slot]! & bit.DEAD))
      this.#out.keep(slot, list.at[index]! + sent, unsent, true)
    this.#proceed(slot)
  }

  onRest(slot: number, result: number): void {
    this.#state[slot]! &= ~bit.SENDING
    if (result <= 0 || this.#state[slot]! & bit.DEAD) this.#fail(slot, result)
    else {
      this.#countOut(result)
      this.table.onMoved(slot)
      this.#out.onRest(slot, result)
    }
    this.#proceed(slot)
  }

  onFinished(slot: number): void {
    this.#out.onFinished(slot)
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
      // The poll would report this FIN again and again: copies the pipe out, and sends that.
      const fin = this.#bulk.inPipeOf(slot) > 0 && !(result & (POLLOUT | POLLERR | POLLHUP))
      const moved = result < 0 || fin ? 0 : this.#bulk.move(slot)
      if (moved > 0) this.table.onMoved(slot)
      else if (moved === 0) this.#out.add(slot, this.#bulk.copyOut(slot), false)
      else if (moved !== k.error.AGAIN) this.#fail(slot, moved)
    }
    this.#proceed(slot)
  }

  /** Bytes received and not sent back yet. With a layer: bytes on the wire, up to what came. */
  unsentOf = (slot: number): number => {
    const bytes = this.#out.unsentOf(slot) + this.#bulk.inPipeOf(slot)
    return this.#layer ? Math.min(bytes, this.#ledger?.received[slot] ?? bytes) : bytes
  }

  /** Counts echoed bytes. A layer counts its own, since it knows which bytes are an echo. */
  #countOut(length: number): void {
    if (this.#layer === undefined) this.#counters[counter.bytesOut]! += length
  }

  #onData(slot: number, length: number, flags: number): void {
    const at = this.#sends.received(length, flags)
    const state = this.#state[slot]!
    if (this.#layer !== undefined) {
      if (state & (bit.DEAD | bit.ENDED)) return
      this.table.onMoved(slot)
      return this.#layer.received(slot, at, length, (state & bit.LEAVING) !== 0)
    }
    if (state & (bit.DEAD | bit.LEAVING)) {
      this.#counters[counter.bytesDiscarded]! += length
      return
    }
    this.#counters[counter.chunks]!++
    this.#counters[counter.bytesIn]! += length
    this.table.onMoved(slot)
    if (this.#ledger !== undefined) this.#ledger.received[slot]! += length
    if (length >= muchBytes) this.#bulk.count(slot, this.#generation[slot]!)
    if (this.#out.send(slot, at, length)) this.#counters[counter.bytesOut]! += length
  }

  #armRecv(slot: number): void {
    const generation = this.#generation[slot]!
    if (!this.#bulk.has(slot)) entries.receive(this.#ring, slot, generation)
    else if (!this.#bulk.watch(slot, generation)) return
    this.#state[slot]! |= bit.ARMED
  }

  readonly #cancelRecv = (slot: number): void => {
    if (!(this.#state[slot]! & bit.ARMED)) return
    const what = this.#bulk.has(slot) ? kind.POLL : kind.RECV
    entries.cancel(this.#ring, tag(what, slot), this.#generation[slot])
  }

  #fail(slot: number, result: number): void {
    this.#ledger?.failed(slot, result)
    this.#layer?.broke(slot)
    if (!(this.#state[slot]! & bit.DEAD) && result < 0)
      this.#counters[counter[failureName(systemError(getSystemErrorName(result)))]]!++
    this.#giveUp(slot)
  }

  /** Stops sending, and closes when nothing is in flight. */
  #giveUp(slot: number): void {
    this.#state[slot]! |= bit.DEAD
    this.#cancelRecv(slot)
    if (!(this.#state[slot]! & bit.SENDING)) return this.#out.drop(slot)
    entries.cancel(this.#ring, tag(kind.REST, slot), this.#generation[slot])
  }

  /** Decides what comes next for a connection, as soon as the sends of its turn are known. */
  #proceed(slot: number): void {
    if (this.#sends.isOpen(slot)) return this.#sends.later(slot)
    const state = this.#state[slot]!
    if (state === 0 || state & bit.SENDING) return
    if (state & bit.WAITING) this.#out.sendRest(slot)
    else if (state & (bit.DEAD | bit.ENDED)) {
      if (!(state & bit.ARMED) && !this.#out.isFinishing(slot)) this.#close(slot)
    } else {
      if ((state & (bit.LEAVING | bit.FINISHED)) === bit.LEAVING) this.#finish(slot)
      const now = this.#state[slot]!
      if (now & bit.DEAD) this.#proceed(slot)
      else if (!(now & bit.ARMED)) this.#armRecv(slot)
    }
  }

  /** Sends FIN, if all that comes before it is sent. */
  #finish(slot: number): void {
    const parting = this.#layer?.sayEnd(slot) ?? partingOf(this.#bulk.stageOf(slot), 'bytes')
    if (parting !== 'end') return parting === 'cut' ? this.#giveUp(slot) : undefined
    if (this.#bulk.has(slot)) {
      this.#cancelRecv(slot)
      this.#bulk.end(slot)
    }
    this.#state[slot]! |= bit.FINISHED
    this.#out.finish(slot)
  }

  #close(slot: number): void {
    this.#ledger?.closed(slot, this.unsentOf(slot))
    this.#bulk.end(slot)
    this.#layer?.closed(slot)
    entries.close(this.#ring, slot)
    this.table.onClosed(slot)
    this.#counters[counter.closed]!++
    this.#onClosed()
  }

  /** Begins a turn; returns what the waiter needs to know. */
  beginTurn(): Turn {
    return this.#sends.beginTurn(this.#bulk.takeMoved())
  }

  /** To be called when all results of the last turn are known: then its buffers are free. */
  endTurn(due: readonly number[]): void {
    for (const slot of due) this.#proceed(slot)
    this.#sends.endTurn()
    this.#layer?.endTurn()
  }

  /** Scans all connections; closes those on which nothing has moved for too many scans. */
  closeIdle(): void {
    const close = (slot: number, still: number) => {
      if (!isIdle(still)) return
      this.#counters[counter.idleClosed]!++
      this.#ledger?.closing(slot, 'idle')
      this.#giveUp(slot)
    }
    this.table.scan(close, slot => this.#proceed(slot))
  }

  /** Scans all connections, and tells clients that the server leaves. */
  leave(time: DrainTime): void {
    const leave = (slot: number, still: number) => {
      const step = nextStep(time, { isQuiet: still >= 2, isTold: false })
      if (step === 'tell') this.#state[slot]! |= bit.LEAVING
    }
    this.table.scan(leave, slot => this.#proceed(slot))
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
