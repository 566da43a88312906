/** The connections of one serving thread, in memory that every thread can read. */
import { failureNames, type FailureName } from './meter.ts'

/** How many connections are listed; further ones are served and counted, too. */
export const ledgerSlots = 16_384
/** An IPv6 address with a zone and a port has 53 characters at most, so nothing is cut. */
const peerMaxBytes = 64

/** How a connection ended. `closed`: in good order. */
export const endings = ['closed', 'idle', 'killed', ...failureNames] as const
export type Ending = 'closed' | 'idle' | 'killed' | FailureName

/** Upper bounds of the histogram of lifetimes, in seconds; what is longer is counted above them. */
export const lifetimeBounds = [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 60, 300, 1800, 3600]

/** The entry of a slot. Instants are milliseconds since 1970. */
export interface Entry {
  slot: number
  /** Distinguishes the connection from earlier ones in the same slot. */
  generation: number
  /** `host:port`; empty for a unix socket, or while it is not known. */
  peer: string
  /** The client behind a proxy; empty without one. */
  realPeer: string
  openedAt: number
  bytesIn: number
  bytesOut: number
  /** Waiting in the program to be sent. */
  unsentBytes: number
  /** When bytes were last seen to have moved. */
  movedAt: number
  /** Undefined while it is open. */
  ending: Ending | undefined
  /** When it ended; 0 while it is open. */
  closedAt: number
}

const never = 0
const open = 1
const ended = 2

/** Numbers of a slot, in the order of their place in memory. */
const field = { openedAt: 0, closedAt: 1, bytesIn: 2, bytesOut: 3, unsent: 4, movedAt: 5 }
const fieldCount = Object.keys(field).length
/** Values for the whole ledger: whole numbers (words), and other numbers (figures). */
const words = { kills: 0, used: 1, count: 2 }
const figures = { unlisted: 0, delayP50: 1, delayP99: 2, delayMax: 3, lifetimeSum: 4, count: 5 }

/**
 * Has one writer (LedgerWriter) and any number of readers. A slot is written before it is marked as
 * open. A reader compares the generation of a slot before and after it reads the slot: if they
 * differ, it has read parts of two connections. The figures of an ended connection stay until its
 * slot is used again, which is as late as possible.
 */
export class Ledger {
  readonly memory: SharedArrayBuffer
  readonly words: Int32Array
  readonly state: Int32Array
  readonly generation: Int32Array
  /** For each slot, the generation of the connection that a reader wants closed. */
  readonly kill: Int32Array
  readonly numbers: Float64Array
  readonly figures: Float64Array
  readonly lifetimes: Float64Array
  readonly endings: Uint8Array
  /** Length and text of the peer, and of the real peer, for each slot. */
  readonly peers: Uint8Array

  constructor(memory?: SharedArrayBuffer) {
    let at = 0
    const next = (bytes: number) => {
      const start = at
      at += Math.ceil(bytes / 8) * 8
      return start
    }
    const places = {
      words: next(words.count * 4),
      state: next(ledgerSlots * 4),
      generation: next(ledgerSlots * 4),
      kill: next(ledgerSlots * 4),
      numbers: next(ledgerSlots * fieldCount * 8),
      figures: next(figures.count * 8),
      lifetimes: next((lifetimeBounds.length + 1) * 8),
      endings: next(ledgerSlots),
      peers: next(ledgerSlots * 2 * peerMaxBytes),
    }
    this.memory = memory ?? new SharedArrayBuffer(at)
    this.words = new Int32Array(this.memory, places.words, words.count)
    this.state = new Int32Array(this.memory, places.state, ledgerSlots)
    this.generation = new Int32Array(this.memory, places.generation, ledgerSlots)
    this.kill = new Int32Array(this.memory, places.kill, ledgerSlots)
    this.numbers = new Float64Array(this.memory, places.numbers, ledgerSlots * fieldCount)
    this.figures = new Float64Array(this.memory, places.figures, figures.count)
    this.lifetimes = new Float64Array(this.memory, places.lifetimes, lifetimeBounds.length + 1)
    this.endings = new Uint8Array(this.memory, places.endings, ledgerSlots)
    this.peers = new Uint8Array(this.memory, places.peers, ledgerSlots * 2 * peerMaxBytes)
  }

  /** One more than the highest slot that was ever used. */
  get used(): number {
    return Atomics.load(this.words, words.used)
  }

  /** Connections that found no slot. */
  get unlisted(): number {
    return this.figures[figures.unlisted]!
  }

  /** How late the thread's timers were within the last second, in ms; NaN where it has none. */
  get loopDelay(): { p50: number; p99: number; max: number } {
    const [, p50, p99, max] = this.figures as unknown as [number, number, number, number]
    return { p50, p99, max }
  }

  /**
   * The distribution of how long connections lasted, and the sum of these times. A count has the
   * connections that lasted at most as long as its bound, and longer than the bound before.
   */
  get lifetime(): { counts: number[]; sumSeconds: number } {
    return { counts: [...this.lifetimes], sumSeconds: this.figures[figures.lifetimeSum]! }
  }

  isOpen(slot: number): boolean {
    return this.state[slot] === open
  }

  /** The entry of a slot that was ever used; undefined while the slot is being reused. */
  read(slot: number): Entry | undefined {
    const generation = Atomics.load(this.generation, slot)
    const state = Atomics.load(this.state, slot)
    if (state === never) return undefined
    const at = slot * fieldCount
    const number = (name: keyof typeof field) => this.numbers[at + field[name]]!
    const entry: Entry = {
      slot,
      generation,
      peer: this.#text(slot * 2),
      realPeer: this.#text(slot * 2 + 1),
      openedAt: number('openedAt'),
      bytesIn: number('bytesIn'),
      bytesOut: number('bytesOut'),
      unsentBytes: number('unsent'),
      movedAt: number('movedAt'),
      ending: state === ended ? endings[this.endings[slot]!] : undefined,
      closedAt: state === ended ? number('closedAt') : 0,
    }
    const same = Atomics.load(this.generation, slot) === generation
    return same && Atomics.load(this.state, slot) === state ? entry : undefined
  }

  /** Whether a proxy forwards the client; that may become known after the connection began. */
  hasRealPeer(slot: number): boolean {
    return this.peers[(slot * 2 + 1) * peerMaxBytes] !== 0
  }

  /** One figure of a slot: a whole entry costs ten times as much, for its texts. */
  figure(slot: number, name: 'bytesIn' | 'bytesOut' | 'unsent' | 'movedAt'): number {
    return this.numbers[slot * fieldCount + field[name]]!
  }

  /** The bytes that came in and went out, together. */
  moved(slot: number): number {
    const at = slot * fieldCount
    return this.numbers[at + field.bytesIn]! + this.numbers[at + field.bytesOut]!
  }

  /** Asks the writer to close a connection; false if the connection is gone. */
  askToKill(slot: number, generation: number): boolean {
    if (!this.isOpen(slot) || Atomics.load(this.generation, slot) !== generation) return false
    Atomics.store(this.kill, slot, generation)
    Atomics.add(this.words, words.kills, 1)
    return true
  }

  #text(place: number): string {
    const at = place * peerMaxBytes
    const length = Math.min(this.peers[at]!, peerMaxBytes - 1)
    // Decoders refuse shared memory. The text is ASCII, so its codes are used.
    return length === 0 ? '' : String.fromCharCode(...this.peers.subarray(at + 1, at + 1 + length))
  }
}

/** The writing side, in the thread that serves. */
export class LedgerWriter {
  readonly ledger: Ledger
  /** Free slots: the one that has been free for longest is used next. */
  readonly #free = Int32Array.from({ length: ledgerSlots }, (_, slot) => slot)
  #firstFree = 0
  #freeCount = ledgerSlots
  #killsSeen = 0

  constructor(ledger: Ledger) {
    this.ledger = ledger
    ledger.figures.fill(Number.NaN, figures.delayP50, figures.delayMax + 1)
  }

  /** A connection began to be served. Returns its slot, -1 if there is none. */
  open(peer: string, atMs: number, realPeer = ''): number {
    const { ledger } = this
    if (this.#freeCount === 0) {
      ledger.figures[figures.unlisted]!++
      return -1
    }
    const slot = this.#free[this.#firstFree]!
    this.#firstFree = (this.#firstFree + 1) % ledgerSlots
    this.#freeCount--
    Atomics.store(ledger.state, slot, never)
    // Generations begin with 1: a kill word of 0 means no connection.
    Atomics.store(ledger.generation, slot, (ledger.generation[slot]! + 1) & 0x7fffffff || 1)
    ledger.numbers.fill(0, slot * fieldCount, (slot + 1) * fieldCount)
    ledger.numbers[slot * fieldCount + field.openedAt] = atMs
    ledger.numbers[slot * fieldCount + field.movedAt] = atMs
    this.name(slot, peer, realPeer)
    if (slot >= ledger.used) Atomics.store(ledger.words, words.used, slot + 1)
    Atomics.store(ledger.state, slot, open)
    return slot
  }

  /** Sets the peer of a connection, if it becomes known later. */
  name(slot: number, peer: string, realPeer = ''): void {
    this.#write(slot * 2, peer)
    this.#write(slot * 2 + 1, realPeer)
  }

  #write(place: number, text: string) {
    const at = place * peerMaxBytes
    const length = Math.min(text.length, peerMaxBytes - 1)
    const { peers } = this.ledger
    for (let index = 0; index < length; index++) peers[at + 1 + index] = text.charCodeAt(index)
    peers[at] = length
  }

  /** Records the figures of a connection, as they are now. */
  update(slot: number, bytesIn: number, bytesOut: number, unsent: number, atMs: number): void {
    const { numbers } = this.ledger
    const at = slot * fieldCount
    if (numbers[at + field.bytesIn] !== bytesIn || numbers[at + field.bytesOut] !== bytesOut)
      numbers[at + field.movedAt] = atMs
    numbers[at + field.bytesIn] = bytesIn
    numbers[at + field.bytesOut] = bytesOut
    numbers[at + field.unsent] = unsent
  }

  /**
   * A connection has ended. Its last figures can still be read. With slot -1 only its lifetime is
   * counted.
   */
  close(slot: number, openedAt: number, atMs: number, ending: Ending): void {
    const { ledger } = this
    const seconds = Math.max(0, atMs - openedAt) / 1e3
    const place = lifetimeBounds.findIndex(bound => seconds <= bound)
    ledger.lifetimes[place === -1 ? lifetimeBounds.length : place]!++
    ledger.figures[figures.lifetimeSum]! += seconds
    if (slot === -1) return
    ledger.numbers[slot * fieldCount + field.closedAt] = atMs
    ledger.numbers[slot * fieldCount + field.unsent] = 0
    ledger.endings[slot] = endings.indexOf(ending)
    Atomics.store(ledger.state, slot, ended)
    this.#free[(this.#firstFree + this.#freeCount) % ledgerSlots] = slot
    this.#freeCount++
  }

  /** Whether a reader has asked for a close since the last takeKills(): costs one atomic read. */
  get killsWanted(): boolean {
    return Atomics.load(this.ledger.words, words.kills) !== this.#killsSeen
  }

  /** The slots of the connections to close. */
  takeKills(): number[] {
    const { ledger } = this
    this.#killsSeen = Atomics.load(ledger.words, words.kills)
    const found: number[] = []
    for (let slot = 0; slot < ledger.used; slot++) {
      const wanted = Atomics.exchange(ledger.kill, slot, 0)
      if (wanted !== 0 && wanted === ledger.generation[slot] && ledger.isOpen(slot))
        found.push(slot)
    }
    return found
  }

  /** How late timers were, in ms. */
  setLoopDelay(p50: number, p99: number, max: number): void {
    this.ledger.figures.set([p50, p99, max], figures.delayP50)
  }
}
