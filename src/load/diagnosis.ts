/** Finds the probable cause of wrong bytes, by the origin of the bytes that came. */
import { plural } from '../vocabulary/units.ts'
import { Origins } from './origins.ts'
import type { Payload } from './payload.ts'
import { bitsThatDiffer, chanceBytes, swap, type Piece } from './pieces.ts'
import type { Cause, InFlight } from './wrong-bytes.ts'

export interface Diagnosis {
  cause: Cause
  /** The diagnosis in one sentence, with numbers. */
  detail: string
}

/**
 * @param wrong the stream; its `receivedBytes` is the offset of the first wrong byte
 * @param received the bytes from there on; with more bytes the cause is more certain
 * @param others the other connections: the bytes are looked up in their streams too
 */
export function diagnose(
  payload: Payload,
  wrong: InFlight,
  received: Buffer,
  others: Iterable<InFlight>,
): Diagnosis {
  if (received.length === 0) return { cause: 'unknown', detail: 'No bytes came.' }
  const origins = new Origins(payload, wrong, received, [...others])
  return new CorruptionCase(payload, wrong, received, origins).diagnosis()
}

/** Longer pieces that changed places are found by looking them up in the table. */
const rotationMaxBytes = 16

class CorruptionCase {
  readonly #payload: Payload
  readonly #wrong: InFlight
  readonly #received: Buffer
  readonly #origins: Origins
  readonly #pieces: Piece[]

  constructor(payload: Payload, wrong: InFlight, received: Buffer, origins: Origins) {
    this.#payload = payload
    this.#wrong = wrong
    this.#received = received
    this.#origins = origins
    this.#pieces = origins.pieces()
  }

  diagnosis(): Diagnosis {
    const first = this.#pieces[0]!
    if (first.whose === 'nobody') return this.#damaged(first)
    if (first.whose !== 'own') return this.#foreign(first)
    const shift = this.#shift(first)
    return shift > 0 ? this.#early(first, shift) : this.#again(first, -shift)
  }

  /** How far a piece is ahead of its place; negative: behind. */
  #shift(piece: Piece): number {
    return piece.offset - this.#wrong.receivedBytes - piece.at
  }

  /** The piece after the first one, if the stream continues there. */
  get #resumed(): Piece | undefined {
    return this.#pieces.slice(1).find(({ whose }) => whose === 'own')
  }

  /** The first bytes belong to no stream. */
  #damaged(first: Piece): Diagnosis {
    const { receivedBytes, issuedBytes } = this.#wrong
    const resumed = this.#resumed
    const due = issuedBytes - receivedBytes
    if (!resumed) {
      if (due <= 0) return put(this.#received.length, 'although nothing more was due')
      const last = this.#last()
      if (last) return last
      const bits = this.#differing().bits
      const flips = bits <= Math.max(1, 2 * this.#received.length)
      if (flips || this.#received.length === due) return this.#corrupted()
      const bytes = plural(this.#received.length, 'byte')
      return { cause: 'unknown', detail: `The ${bytes} that came belong to no stream of this run.` }
    }
    const shift = this.#shift(resumed)
    const [, second, third] = this.#pieces
    // The late piece may be long enough to be found, and the early one too short.
    const both = third?.whose === 'own' && this.#shift(third) === 0 ? third.at : 0
    if (shift < 0 && second === resumed) {
      const swapped = this.#rotated(both)
      if (swapped) return swapped
    }
    if (shift < 0) return put(-shift, 'and the stream goes on behind them')
    if (shift === 0) return this.#rotated(first.length) ?? this.#excess() ?? this.#corrupted()
    const others = `${plural(first.length, 'byte')} of no connection came instead`
    return { cause: 'missing', detail: `${are(shift)} missing, and ${others}.` }
  }

  /** Bytes too few to be looked up: they may be the last ones that were sent. */
  #last(): Diagnosis | undefined {
    const { length } = this.#received
    const ahead = this.#sumBytes
    const from = this.#wrong.issuedBytes - length
    if (length < 2 || ahead <= 0 || this.#origins.ownLength(0, from) < length) return undefined
    return { cause: 'missing', detail: `${are(ahead)} missing: only the last ${length} came.` }
  }

  /** More bytes came than were sent, and the stream repeats, so it seems to be in step. */
  #excess(): Diagnosis | undefined {
    const bytes = -this.#sumBytes
    const { periodBytes } = this.#payload
    if (bytes <= 0 || periodBytes === Infinity || bytes % periodBytes !== 0) return undefined
    return put(bytes, 'and the stream goes on behind them')
  }

  /** How many more bytes were sent than came; negative if more came. */
  get #sumBytes(): number {
    return this.#wrong.issuedBytes - this.#wrong.receivedBytes - this.#received.length
  }

  /** Two pieces that are too short to be looked up have changed places. */
  #rotated(length: number): Diagnosis | undefined {
    if (length > rotationMaxBytes) return undefined
    const { own } = this.#origins
    const came = this.#received.subarray(0, length)
    const twice = Buffer.concat([own.subarray(0, length), own.subarray(0, length)])
    const late = twice.indexOf(came)
    return late > 0 && late < length ? swapped(length - late, late) : undefined
  }

  /** Compares the bytes in step, and counts what differs. */
  #differing() {
    const { own } = this.#origins
    const received = this.#received
    const end = received.length
    let [bytes, last] = [0, -1]
    for (let at = 0; at < end; at++) {
      if (received[at] === own[at]) continue
      bytes++
      last = at
    }
    return { bits: bitsThatDiffer(received, own, 0, end), bytes, last }
  }

  #corrupted(): Diagnosis {
    const { bits, bytes, last } = this.#differing()
    const differ =
      bits <= 2 * bytes
        ? `${plural(bits, 'bit')} ${bits === 1 ? 'differs' : 'differ'} in ${plural(bytes, 'byte')}`
        : `${plural(bytes, 'byte')} ${bytes === 1 ? 'differs' : 'differ'}`
    const range = last + 1 > bytes ? `, spread over ${last + 1}` : ''
    const then =
      last + 1 < this.#received.length
        ? `the stream goes on in step behind ${bytes === 1 ? 'it' : 'them'}`
        : 'nothing came behind that'
    return { cause: 'corrupted', detail: `${differ}${range}; ${then}.` }
  }

  /** The first piece belongs further on in the stream. */
  #early(first: Piece, ahead: number): Diagnosis {
    const { receivedBytes } = this.#wrong
    const { length } = this.#received
    const both = swap(this.#origins, first, receivedBytes, length)
    if (both) return swapped(...both.lengths)
    const late = this.#pieces
      .slice(1)
      .find(
        ({ whose, offset }) => whose === 'own' && Math.abs(offset - receivedBytes) <= chanceBytes,
      )
    if (late) return swapped(first.length, late.length)
    const resumed = this.#resumed
    if (resumed && this.#shift(resumed) === 0) {
      const bytes = plural(first.length, 'byte')
      const early = `${bytes} came ${plural(ahead, 'byte')} too early, in the place of others`
      // The bytes came a second time, at their own place.
      if (length > ahead + first.length)
        return { cause: 'duplicated', detail: `${early}, and again where they belong.` }
      return { cause: 'swapped', detail: `${early}.` }
    }
    const belongs = `what came belongs ${plural(ahead, 'byte')} further on`
    return {
      cause: 'missing',
      detail: `${are(ahead)} missing: ${belongs}${this.#multiple(ahead)}.`,
    }
  }

  /** The first piece has come before. */
  #again(first: Piece, behind: number): Diagnosis {
    const resumed = this.#resumed
    const twice = (bytes: number, more = '') => ({
      cause: 'duplicated' as const,
      detail: `${plural(bytes, 'byte')} came twice${more}${this.#multiple(bytes)}.`,
    })
    if (behind === 0) return twice(first.length, ', or were never sent')
    if (first.length >= behind) return twice(behind)
    const later = `, the second time ${plural(behind, 'byte')} behind the first`
    const shift = resumed ? this.#shift(resumed) : undefined
    if (shift === 0) return twice(first.length, `${later}, in the place of others`)
    if (shift !== undefined && shift < 0) return twice(-shift, later)
    return twice(first.length, later)
  }

  #foreign(first: Piece): Diagnosis {
    const shift = this.#resumed && this.#shift(this.#resumed)
    const put = `${plural(-(shift ?? 0), 'byte')} were put in, and the stream goes on behind them`
    const bytes = plural(first.length, 'byte')
    const replaced = `${bytes} came in the place of others, and the stream goes on in step`
    const gone = `behind them ${are(shift ?? 0)} missing`
    const how = shift === undefined ? '' : `; ${shift < 0 ? put : shift === 0 ? replaced : gone}`
    const from =
      first.whose === 'other'
        ? `The bytes ${first.doubtful ? 'may ' : ''}belong to connection ${first.connection}, ` +
          `offset ${first.offset}`
        : 'The bytes belong to this run, but not to a place nearby: perhaps to another thread'
    return { cause: 'foreign', detail: `${from}${how}.` }
  }

  /** Says what cannot be known, because the stream repeats. */
  #multiple(bytes: number): string {
    const { periodBytes } = this.#payload
    if (periodBytes === Infinity || bytes === Math.abs(this.#sumBytes)) return ''
    return ` (or a multiple of ${plural(periodBytes, 'byte')} more, because the message repeats)`
  }
}

const are = (bytes: number) => `${plural(bytes, 'byte')} ${bytes === 1 ? 'is' : 'are'}`

const put = (bytes: number, then: string): Diagnosis => ({
  cause: 'shifted',
  detail: `${plural(bytes, 'byte')} ${bytes === 1 ? 'was' : 'were'} put in that ${
    bytes === 1 ? 'belongs' : 'belong'
  } to no connection, ${then}.`,
})

const swapped = (early: number, late: number): Diagnosis => ({
  cause: 'swapped',
  detail:
    early === late
      ? `Two pieces of ${plural(early, 'byte')} changed places.`
      : `Two pieces, of ${plural(late, 'byte')} and ${plural(early, 'byte')}, changed places.`,
})
