/** The first wrong bytes, next to those that should have come. */
import { formatCount, plural } from '../vocabulary/units.ts'
import type { Canvas } from './bars.ts'
import { entry, labelColumns, labelled } from './lines.ts'
import type { FirstWrong } from './result.ts'

/** Where they were, what probably happened, and the bytes, the first wrong one marked. */
export function wrongBlock(wrong: FirstWrong, canvas: Canvas): string[] {
  const { connection, offset, cause, detail } = wrong
  const where = `connection ${formatCount(connection)}, offset ${formatCount(offset)}: ${cause}`
  return [
    ...entry('wrong', where, canvas),
    ...entry('', detail, canvas),
    ...bytesBlock(wrong, canvas),
  ]
}

function bytesBlock(wrong: FirstWrong, canvas: Canvas): string[] {
  const [before, expected, received] = [wrong.before, wrong.expected, wrong.received].map(hex =>
    Buffer.from(hex, 'hex'),
  ) as [Buffer, Buffer, Buffer]
  const row = rowFor(canvas)
  const lines: string[] = []
  for (let at = 0; at < before.length; at += row.bytes)
    lines.push(
      ...labelled(at === 0 ? 'before' : '', [row.show(before.subarray(at, at + row.bytes))]),
    )
  const first = firstDifference(expected, received)
  const kind = first < received.length ? 'wrong' : 'missing'
  const length = Math.max(expected.length, received.length)
  for (let at = 0; at < length; at += row.bytes) {
    const part = (bytes: Buffer) => bytes.subarray(at, at + row.bytes)
    if (at < expected.length) lines.push(...labelled('expected', [row.show(part(expected))]))
    if (at < received.length) lines.push(...labelled('received', [row.show(part(received))]))
    else if (at === 0) lines.push(...entry('received', nothingAfter(wrong.offset), canvas))
    const within = first - at
    if (within < 0 || within >= row.bytes) continue
    const mark = `${' '.repeat(labelColumns + 3 * within)}^^`
    const words = `${mark} the first ${kind} byte`
    lines.push(words.length <= canvas.columns ? words : mark)
  }
  return lines
}

/** The text if nothing came: the bytes before the offset came, and were right. */
const nothingAfter = (offset: number): string =>
  offset === 0 ? 'nothing' : `nothing after ${plural(offset, 'byte')}`

/** The index of the first byte that differs, or is there in only one of both. */
function firstDifference(expected: Buffer, received: Buffer): number {
  const length = Math.min(expected.length, received.length)
  for (let at = 0; at < length; at++) if (expected[at] !== received[at]) return at
  return length
}

/** 16 bytes and their text where there is room for it, else 8, else without the text. */
function rowFor({ columns }: Canvas) {
  const room = columns - labelColumns
  const bytes = room >= widthOf(16) + 16 ? 16 : 8
  const withText = room >= widthOf(bytes) + bytes
  const show = (part: Buffer): string => {
    const hex = Array.from(part, byte => byte.toString(16).padStart(2, '0')).join(' ')
    const text = Array.from(part, byte =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.',
    ).join('')
    return withText ? hex.padEnd(widthOf(bytes)) + text : hex
  }
  return { bytes, show }
}

/** The width of that many bytes in hex, with the gap behind them. */
const widthOf = (bytes: number) => 3 * bytes + 1
