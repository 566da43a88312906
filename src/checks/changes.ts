/** What became of bytes on their way: known translations, else what was added, lost or changed. */
import { printable } from '../vocabulary/text.ts'

export interface ByteChange {
  kind: 'changed' | 'added' | 'lost'
  /** A sentence without its full stop. */
  said: string
}

const each = (bytes: Buffer, map: (byte: number, at: number) => number[]): Buffer =>
  Buffer.from([...bytes].flatMap(map))
const text = (bytes: Buffer, map: (text: string) => string): Buffer =>
  Buffer.from(map(bytes.toString('latin1')), 'latin1')

/** Known translations by programs on the way, each with its description. */
const translations: [said: string, apply: (sent: Buffer) => Buffer][] = [
  ['each LF became CR LF', sent => text(sent, all => all.replaceAll('\n', '\r\n'))],
  ['each lone LF became CR LF', sent => text(sent, all => all.replaceAll(/(?<!\r)\n/g, '\r\n'))],
  ['each CR LF became LF', sent => text(sent, all => all.replaceAll('\r\n', '\n'))],
  ['each CR became LF', sent => text(sent, all => all.replaceAll('\r', '\n'))],
  ['each CR was dropped', sent => text(sent, all => all.replaceAll('\r', ''))],
  ['each LF became CR', sent => text(sent, all => all.replaceAll('\n', '\r'))],
  [
    'each CR was dropped, and each LF became CR LF',
    sent => text(sent, all => all.replaceAll('\r', '').replaceAll('\n', '\r\n')),
  ],
  ['each LF was dropped', sent => text(sent, all => all.replaceAll('\n', ''))],
  ['CR and LF were dropped', sent => text(sent, all => all.replaceAll(/[\r\n]/g, ''))],
  ['each NUL was dropped', sent => each(sent, byte => (byte === 0 ? [] : [byte]))],
  [
    'XON and XOFF were dropped',
    sent => each(sent, byte => (/^(17|19)$/.test(`${byte}`) ? [] : [byte])),
  ],
  [
    'each 0xFF (telnet IAC) was doubled',
    sent => each(sent, byte => (byte === 255 ? [255, 255] : [byte])),
  ],
  [
    'each doubled 0xFF (telnet IAC) became one',
    sent => text(sent, all => all.replaceAll('\xff\xff', '\xff')),
  ],
  ['each 0xFF (telnet IAC) was dropped', sent => each(sent, byte => (byte === 255 ? [] : [byte]))],
  ['the highest bit of each byte was cleared', sent => each(sent, byte => [byte & 127])],
  ['bytes that are not UTF-8 were replaced', sent => Buffer.from(sent.toString('utf8'), 'utf8')],
  [
    'it was read as Latin-1 and written as UTF-8',
    sent => Buffer.from(sent.toString('latin1'), 'utf8'),
  ],
  [
    'letters became upper case',
    sent => text(sent, all => all.replaceAll(/[a-z]/g, x => x.toUpperCase())),
  ],
  [
    'letters became lower case',
    sent => text(sent, all => all.replaceAll(/[A-Z]/g, x => x.toLowerCase())),
  ],
  ['each line came back reversed', reversedLines],
]

function reversedLines(sent: Buffer): Buffer {
  return text(sent, all =>
    all
      .split('\n')
      .map(line => line.split('').toReversed().join(''))
      .join('\n'),
  )
}

/** `"GET / HTTP"` or `ff fb 01`, whichever is easier to read. */
export function shownBytes(bytes: Uint8Array, max = 24): string {
  if (bytes.length === 0) return 'nothing'
  const cut = bytes.subarray(0, max)
  const isText = cut.every(byte => byte >= 0x20 && byte < 0x7f)
  const all = isText
    ? `"${printable(cut)}"`
    : Array.from(cut, byte => byte.toString(16).padStart(2, '0')).join(' ')
  return bytes.length > max ? `${all} ...` : all
}

/** Both texts, from a little before the first difference on. */
export function aroundDifference(sent: Buffer, received: Buffer): [string, string] {
  let same = 0
  while (same < sent.length && sent[same] === received[same]) same++
  const from = same > 20 ? same - 4 : 0
  const dots = from > 0 ? `${from} bytes and then ` : ''
  return [sent, received].map(bytes => dots + shownBytes(bytes.subarray(from))) as [string, string]
}

/** How both differ; undefined if they do not. */
export function changeOf(sent: Buffer, received: Buffer): ByteChange | undefined {
  if (sent.equals(received)) return undefined
  for (const [said, apply] of translations) {
    const would = apply(sent)
    if (!would.equals(sent) && would.equals(received)) return { kind: 'changed', said }
  }
  const shorter = Math.min(sent.length, received.length)
  let before = 0
  while (before < shorter && sent[before] === received[before]) before++
  let after = 0
  while (
    after < shorter - before &&
    sent[sent.length - 1 - after] === received[received.length - 1 - after]
  )
    after++
  const place = before === 0 ? 'in front' : `behind byte ${before}`
  if (before + after === sent.length) {
    const added = received.subarray(before, received.length - after)
    return { kind: 'added', said: `${count(added.length)} came ${place}: ${shownBytes(added)}` }
  }
  if (before + after === received.length) {
    const lost = sent.subarray(before, sent.length - after)
    return {
      kind: 'lost',
      said: `${count(lost.length)} did not come ${place}: ${shownBytes(lost)}`,
    }
  }
  const [was, is] = [sent, received].map(bytes => shownBytes(bytes.subarray(before, before + 8), 8))
  return { kind: 'changed', said: `from byte ${before} on, ${was} was sent and ${is} came` }
}

const count = (bytes: number) => (bytes === 1 ? '1 byte' : `${bytes} bytes`)
