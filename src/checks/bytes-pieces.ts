/** What the question of bytes sends: pieces that something on the way may act on. */
import { formatCount } from '../vocabulary/units.ts'
import { mix } from '../vocabulary/random.ts'
import { shownBytes } from './changes.ts'

export interface TestPiece {
  readonly name: string
  readonly data: Buffer
  /** Sent as the first bytes of a connection. */
  readonly first?: true
  /** Each byte in a write of its own. */
  readonly apart?: true
  readonly last?: true
}

const text = (data: string) => Buffer.from(data, 'latin1')

/** The beginning of a ClientHello (RFC 8446 section 4.1.2). */
const tlsLike = Buffer.from('16030100050100000103', 'hex')

/** Characters on which a terminal, a modem or telnet acts: ^C ^D ^H ^Q ^S ^U ^V ^W ^Z ^\ ^] DEL. */
const acted = Buffer.of(3, 4, 8, 17, 19, 21, 22, 23, 26, 28, 29, 127)

export const pieces: readonly TestPiece[] = [
  { name: 'letters', data: text('The quick brown fox jumps over the lazy dog') },
  { name: 'line ends', data: text('a\nb\r\nc\rd\n\n\r\n\r\r') },
  { name: 'NUL bytes', data: text('a\0\0b\0') },
  { name: 'telnet commands', data: Buffer.from('61ffff62fffb0163fff464ff', 'hex') },
  { name: 'control bytes', data: Buffer.concat([text('a'), acted, text('b')]) },
  { name: 'bytes that are not UTF-8', data: Buffer.from('61c328e28262f0288cbc63', 'hex') },
  { name: 'all 256 values', data: Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)) },
  { name: 'an escape of ssh', data: text('\n~.\n~?\n') },
  { name: 'single bytes', data: text('one byte in each write'), apart: true },
  {
    name: 'first bytes like those of HTTP',
    data: text('GET / HTTP/1.1\r\nHost: yodel\r\n\r\n'),
    first: true,
  },
  { name: 'first bytes like those of TLS', data: tlsLike, first: true },
  { name: 'a last word', data: text('the end'), first: true, last: true },
]

const blockBytes = 65_536
/**
 * With more wrong bytes than this, the stream as a whole is different, and not only damaged here
 * and there.
 */
const wrongMax = 1_000
/** How many damaged places are remembered. */
const placesMax = 8

/**
 * A stream in which no two blocks of 64 KiB are the same, and the comparison of what comes back
 * with it.
 */
export function volume(total: number, byLine: boolean) {
  const base = Buffer.alloc(blockBytes)
  for (let at = 0; at < blockBytes; at += 4) base.writeUInt32LE(mix(at), at)
  const block = (number: number): Buffer => {
    const copy = Buffer.from(base)
    copy.writeUInt32LE(number, 0)
    const length = Math.min(blockBytes, total - number * blockBytes)
    if (byLine) copy[length - 1] = 10
    return copy.subarray(0, length)
  }
  let at = 0
  return {
    /** The first difference, a sentence without its full stop. */
    wrong: undefined as string | undefined,
    /** How many bytes came back different, and the places of the first few. */
    wrongBytes: 0,
    places: [] as { at: number; was: number; is: number }[],
    /**
     * Whether so many bytes are wrong that single changes cannot be the cause: then bytes were
     * added or lost, or all were translated.
     */
    get isOther() {
      return this.wrongBytes > wrongMax
    },
    *blocks() {
      for (let number = 0; number * blockBytes < total; number++) yield block(number)
    },
    arrived(chunk: Buffer) {
      for (let from = 0; from < chunk.length && !this.isOther && at < total;) {
        const expected = block(Math.floor(at / blockBytes)).subarray(at % blockBytes)
        const length = Math.min(chunk.length - from, expected.length)
        const came = chunk.subarray(from, from + length)
        if (!came.equals(expected.subarray(0, length))) {
          let same = 0
          while (came[same] === expected[same]) same++
          const [was, is] = [expected, came].map(all => shownBytes(all.subarray(same, same + 8), 8))
          const place = formatCount(at + same)
          this.wrong ??= `at byte ${place} of a stream, ${is} came where ${was} was sent`
          this.compare(expected, came)
        }
        from += length
        at += length
      }
    },
    compare(expected: Buffer, came: Buffer) {
      for (const [index, is] of came.entries()) {
        const was = expected[index]!
        if (is === was) continue
        if (this.places.length < placesMax) this.places.push({ at: at + index, was, is })
        if (++this.wrongBytes > wrongMax) return
      }
    },
  }
}
