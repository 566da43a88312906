/**
 * Writes the ledger of the connections. Exists only if the ledger is on. The kernel does not tell
 * the address of a direct descriptor, so for a moment the connection gets an ordinary one as well.
 */
import { getSystemErrorName } from 'node:util'
import { Ledger, LedgerWriter, type Ending } from '../../metrics/ledger.ts'
import { failureName } from '../failures.ts'
import { systemError, type Libc } from '../os/libc.ts'
import { peerOf } from '../os/peer-name.ts'
import * as entries from './entries.ts'
import type { Ring } from './ring.ts'

/** As in the node engine: figures are read this long after the second has begun. */
const updateAtMs = 750
/** sockaddr_storage. */
const nameMaxBytes = 128

export interface SlotFigures {
  /** One more than the highest slot that was ever in use. */
  readonly table: { readonly slotsUsed: number }
  /** How many bytes wait to be sent. */
  unsentOf(slot: number): number
  /** Closes the connection, whatever is in flight. */
  giveUp(slot: number): void
}

export class ClientLedger {
  /** Bytes by slot of the ring. What was received and does not wait was sent. */
  readonly received: Float64Array
  readonly #writer: LedgerWriter
  readonly #libc: Libc
  readonly #ring: Ring
  readonly #hasNames: boolean
  /**
   * For each slot of the ring: the connection's slot in the ledger plus one (0: none), and other
   * facts.
   */
  readonly #places: Int32Array
  readonly #generations: Uint16Array
  readonly #openedAt: Float64Array
  readonly #endings: (Ending | undefined)[] = []
  readonly #name = Buffer.alloc(nameMaxBytes)
  readonly #nameSize = Buffer.alloc(4)
  #nextUpdate = 0

  /** @param hasNames whether peers have addresses; those of unix sockets have none */
  constructor(memory: SharedArrayBuffer, libc: Libc, ring: Ring, slots: number, hasNames: boolean) {
    this.#writer = new LedgerWriter(new Ledger(memory))
    this.#libc = libc
    this.#ring = ring
    this.#hasNames = hasNames
    this.received = new Float64Array(slots)
    this.#places = new Int32Array(slots)
    this.#generations = new Uint16Array(slots)
    this.#openedAt = new Float64Array(slots)
  }

  opened(slot: number, generation: number): void {
    const now = Date.now()
    const place = this.#writer.open('', now)
    this.#places[slot] = place + 1
    this.#generations[slot] = generation
    this.#openedAt[slot] = now
    this.#endings[slot] = undefined
    this.received[slot] = 0
    if (place !== -1 && this.#hasNames) entries.install(this.#ring, slot, generation)
  }

  /** The kernel has given a connection a descriptor, or the negative number of an error. */
  onInstalled(slot: number, generation: number, fd: number): void {
    if (fd < 0) return
    this.#nameSize.writeUInt32LE(nameMaxBytes)
    const failed = this.#libc.getpeername(fd, this.#name, this.#nameSize) !== 0
    this.#libc.close(fd)
    const place = this.#places[slot]! - 1
    if (failed || place === -1 || generation !== this.#generations[slot]) return
    this.#writer.name(place, peerOf(this.#name))
  }

  /** The connection is about to end, for this reason; the first reason counts. */
  closing(slot: number, ending: Ending): void {
    this.#endings[slot] ??= ending
  }

  /**
   * The connection is about to end because of an error, given by its negative number; any other
   * number is ignored.
   */
  failed(slot: number, result: number): void {
    if (result < 0) this.closing(slot, failureName(systemError(getSystemErrorName(result))))
  }

  /** The connection is closed: bytes that still wait will not be sent. */
  closed(slot: number, unsent: number): void {
    const place = this.#places[slot]! - 1
    this.#places[slot] = 0
    const now = Date.now()
    this.#update(slot, place, unsent, now)
    this.#writer.close(place, this.#openedAt[slot]!, now, this.#endings[slot] ?? 'closed')
  }

  #update(slot: number, place: number, unsent: number, now: number) {
    const received = this.received[slot]!
    if (place !== -1) this.#writer.update(place, received, received - unsent, unsent, now)
  }

  /** To be called every few hundredths of a second. */
  onTick(figures: SlotFigures): void {
    if (this.#writer.killsWanted) this.#kill(figures)
    const now = Date.now()
    if (now < this.#nextUpdate) return
    this.#nextUpdate = now - ((now - updateAtMs) % 1000) + 1000
    for (let slot = 0; slot < figures.table.slotsUsed; slot++) {
      const place = this.#places[slot]! - 1
      if (place !== -1) this.#update(slot, place, figures.unsentOf(slot), now)
    }
  }

  #kill(figures: SlotFigures) {
    const wanted = new Set(this.#writer.takeKills())
    for (let slot = 0; slot < figures.table.slotsUsed; slot++) {
      if (!wanted.has(this.#places[slot]! - 1)) continue
      this.closing(slot, 'killed')
      figures.giveUp(slot)
    }
  }
}
