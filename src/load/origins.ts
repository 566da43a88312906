/** Finds the streams, and the offsets in them, that received bytes come from. */
import { copyOf, firstWrongByte, type Payload } from './payload.ts'
import type { InFlight } from './wrong-bytes.ts'
import { bitsThatDiffer, chanceBytes, inStepBytes, nobody, swap } from './pieces.ts'
import type { Piece } from './pieces.ts'

/** How many bytes are looked up: eight are never in the table by accident, four hardly ever. */
const keyBytes = [8, 4]
/** How far back in a stream bytes are looked for. */
const ownBehindBytes = 4 * 2 ** 20
const otherBehindBytes = 256 * 2 ** 10
/** If a stream repeats, at most this many bytes are assumed to be missing. */
const periodicMaxBytes = 65_536
/** How many look-ups there are at most: one takes up to a millisecond. */
const lookupsMax = 200
const piecesMax = 64
/**
 * If other connections have more bytes than this in flight, every piece matches some of them by
 * accident.
 */
const othersMaxBytes = 2 ** 20
/** By which factor the bytes around a piece make its origin more or less likely. */
const odds = 64
const confirmed = 1 / 16

export class Origins {
  readonly own: Buffer
  readonly #payload: Payload
  readonly #wrong: InFlight
  readonly #received: Buffer
  readonly #others: readonly InFlight[]
  readonly #othersBytes: number
  #lookups = 0

  constructor(payload: Payload, wrong: InFlight, received: Buffer, others: readonly InFlight[]) {
    this.#payload = payload
    this.#wrong = wrong
    this.#received = received
    // If all streams are the same, they do not show which connection it is.
    this.#others = payload.periodBytes === Infinity ? others : []
    this.own = copyOf(payload, wrong.connection, wrong.receivedBytes, received.length)
    let inFlight = 0
    for (const { issuedBytes, receivedBytes } of this.#others)
      inFlight += issuedBytes - receivedBytes
    this.#othersBytes = Math.min(Math.max(4096, inFlight), othersMaxBytes)
  }

  /** All received bytes, divided into pieces by their origins. */
  pieces(): Piece[] {
    const pieces: Piece[] = []
    const end = this.#received.length
    for (let at = 0; at < end;) {
      const piece = pieces.length < piecesMax ? this.#next(at) : undefined
      const from = piece?.at ?? end
      if (from > at) pieces.push({ ...nobody, at, length: from - at })
      if (piece) pieces.push(piece)
      at = from + (piece?.length ?? 0)
    }
    return pieces
  }

  /** How many bytes from `at` on are those of the wrong stream from `offset` on. */
  ownLength(at: number, offset: number): number {
    return offset < 0 ? 0 : this.#length(this.#wrong.connection, at, offset)
  }

  #length(connection: number, at: number, offset: number): number {
    const wrongAt = firstWrongByte(
      this.#payload,
      connection,
      offset,
      this.#received,
      at,
      this.#received.length - at,
    )
    return wrongAt === -1 ? this.#received.length - at : wrongAt
  }

  /** The first piece from `from` on whose origin is found; it may begin later. */
  #next(from: number): Piece | undefined {
    let probe = from
    for (let at = from; at < this.#received.length; at++) {
      const simple = this.#simple(from, at)
      if (simple) return simple
      const flipped = at === from ? this.#flipped(from) : undefined
      if (flipped) return flipped
      if (at < probe || this.#lookups >= lookupsMax) continue
      // The piece may begin before the place at which it was found: goes back to its beginning.
      const found = this.#lookUp(from, at)
      if (found) return found
      probe = from + Math.max(1, (at - from) * 2)
    }
    return undefined
  }

  /**
   * A piece that continues the stream in step, or where it stopped: a few bytes are enough to see
   * that.
   */
  #simple(from: number, at: number): Piece | undefined {
    const { own } = this
    const { connection, receivedBytes, issuedBytes } = this.#wrong
    const byte = this.#received[at]
    const left = this.#received.length - at
    if (byte === own[at]) {
      const length = this.ownLength(at, receivedBytes + at)
      const last = length === left && (length > 1 || this.#fewBits(from, at))
      if (length >= inStepBytes || last)
        return { at, length, whose: 'own', connection, offset: receivedBytes + at }
    }
    if (byte === own[0] && at > 0 && receivedBytes < issuedBytes) {
      const length = this.ownLength(at, receivedBytes)
      if (length >= inStepBytes || (length === left && length > 1))
        return { at, length, whose: 'own', connection, offset: receivedBytes }
    }
    return undefined
  }

  /**
   * A piece in which only a few bits of a byte or two differ. This is common, and needs no search.
   */
  #flipped(from: number): Piece | undefined {
    const { connection, receivedBytes } = this.#wrong
    for (let at = from + 1; at <= from + 2; at++) {
      const offset = receivedBytes + at
      if (!this.#fewBits(from, at) || this.#received[at] !== this.own[at]) continue
      const length = this.ownLength(at, offset)
      if (length >= keyBytes[0]!) return { at, length, whose: 'own', connection, offset }
    }
    return undefined
  }

  #fewBits(from: number, to: number): boolean {
    return bitsThatDiffer(this.#received, this.own, from, to) <= 2 * (to - from)
  }

  /** The most likely origin of the bytes at `at`. */
  #lookUp(from: number, at: number): Piece | undefined {
    const { table } = this.#payload
    for (const length of keyBytes) {
      if (at + length > this.#received.length || (length < keyBytes[0]! && at > from)) continue
      this.#lookups++
      const key = this.#received.subarray(at, at + length)
      const found: Piece[] = []
      const first = table.indexOf(key)
      for (let place = first, n = 0; place !== -1 && n < 64; n++) {
        this.#places(place, at, (whose, connection, offset) => {
          found.push(this.#whole(from, at, whose, connection, offset))
        })
        if (place >= this.#payload.periodBytes) break
        place = table.indexOf(key, place + 1)
      }
      if (found.length > 0) return this.#best(found)
      if (first !== -1 && length === keyBytes[0]) return this.#somewhere(at, first)
    }
    return undefined
  }

  #best(found: readonly Piece[]): Piece {
    const longest = Math.max(...found.map(({ length }) => length))
    const [best, next] = found
      .filter(({ length }) => length >= longest - chanceBytes)
      .map(piece => ({ piece, rank: this.#rank(piece) }))
      .toSorted((a, b) => a.rank - b.rank)
    const { piece, rank } = best!
    return next && next.rank <= 2 * rank ? { ...piece, doubtful: true } : piece
  }

  #whole(from: number, at: number, whose: 'own' | 'other', connection: number, offset: number) {
    const { table } = this.#payload
    let back = 0
    while (back < Math.min(at - from, offset)) {
      const place = this.#payload.at(connection, offset - back - 1)
      if (table[place] !== this.#received[at - back - 1]) break
      back++
    }
    const length = back + this.#length(connection, at, offset)
    return { at: at - back, length, whose, connection, offset: offset - back }
  }

  #somewhere(at: number, place: number): Piece {
    const { table } = this.#payload
    let length = 0
    while (
      at + length < this.#received.length &&
      this.#received[at + length] === table[place + length]
    )
      length++
    return { ...nobody, at, length, whose: 'somewhere' }
  }

  /** Finds the plausible offsets of streams that are at a place in the table. */
  #places(
    place: number,
    at: number,
    onPlace: (whose: 'own' | 'other', connection: number, offset: number) => void,
  ): void {
    const { connection, receivedBytes, issuedBytes } = this.#wrong
    const here = receivedBytes + at
    const { periodBytes } = this.#payload
    if (periodBytes !== Infinity) {
      const offset = here + this.#periodicShift(place, here)
      if (offset >= 0) onPlace('own', connection, offset)
      return
    }
    const from = Math.max(0, here - ownBehindBytes)
    this.#inBlocks(place, connection, from, Math.max(here, issuedBytes), offset =>
      onPlace('own', connection, offset),
    )
    for (const other of this.#others) {
      const from = Math.max(0, other.receivedBytes - otherBehindBytes)
      this.#inBlocks(place, other.connection, from, other.issuedBytes, offset =>
        onPlace('other', other.connection, offset),
      )
    }
  }

  #inBlocks(
    place: number,
    connection: number,
    from: number,
    to: number,
    onOffset: (offset: number) => void,
  ): void {
    for (let offset = from; offset < to;) {
      const piece = Math.min(to - offset, this.#payload.pieceBytes(offset))
      const ahead = place - this.#payload.at(connection, offset)
      if (ahead >= 0 && ahead < piece) onOffset(offset + ahead)
      offset += piece
    }
  }

  /** How far a place is ahead (negative: behind) in a stream that repeats. */
  #periodicShift(place: number, here: number): number {
    const { periodBytes } = this.#payload
    const { receivedBytes, issuedBytes } = this.#wrong
    const ahead = (((place - here) % periodBytes) + periodBytes) % periodBytes
    // How many bytes are missing in all may show which repetition it is.
    const missing = issuedBytes - receivedBytes - this.#received.length
    if ((missing - ahead) % periodBytes === 0 && Math.abs(missing) < periodicMaxBytes)
      return missing
    if (missing === 0) return ahead
    return missing < 0 || ahead > periodBytes / 2 ? ahead - periodBytes : ahead
  }

  /**
   * How many bytes would have to be searched to find this origin: the fewer, the less likely it is
   * an accident. Each place in the table belongs to a sixteenth of all blocks.
   */
  #rank(piece: Piece): number {
    const { receivedBytes, issuedBytes } = this.#wrong
    if (piece.whose === 'other') {
      const other = this.#others.find(({ connection }) => connection === piece.connection)!
      const behind = Math.max(0, other.receivedBytes - piece.offset)
      return this.#othersBytes + 2 * behind * this.#others.length
    }
    const shift = piece.offset - receivedBytes - piece.at
    const end = piece.at + piece.length
    const toTheEnd = end === this.#received.length
    if (shift <= 0) {
      if (piece.length >= -shift) return -shift * confirmed
      return toTheEnd ? -shift : -shift * odds
    }
    const all = piece.offset + piece.length === issuedBytes
    if (toTheEnd) return all ? shift * confirmed : shift
    const swapped = swap(this, piece, receivedBytes, this.#received.length)
    return shift * (swapped ? (swapped.sure ? confirmed : 1) : odds)
  }
}
