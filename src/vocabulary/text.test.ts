import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { short } from '../full.suite.ts'
import { hexDump, listed, printable } from './text.ts'

/**
 * Controls (C0, DEL, C1), bidirectional controls, zero-width and other invisible characters, line
 * and paragraph separators, and halves of surrogate pairs.
 */
const dangerous = new RegExp(
  [
    String.raw`[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]`,
    String.raw`[\u{e0000}-\u{e0fff}\p{Cs}]`,
  ].join('|'),
  'u',
)

/** Bytes, and text in which dangerous characters are frequent, as UTF-8. */
const tricky = '\0\u0007\b\t\n\r\u001b[]0;m\\\u007f\u0080\u009b\u009d\u200b\u202e\u2066\ufeffaé漢🎵'
/** As anyText, which takes a second or two to be made. */
const codePoint = fc.oneof(fc.nat(0xd7ff), fc.integer({ min: 0xe000, max: 0x10ffff }))
const anyText = fc.array(codePoint).map(points => String.fromCodePoint(...points))
const anything = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.array(fc.constantFrom(...Array.from(tricky))).map(parts => Buffer.from(parts.join(''))),
  anyText.map(text => Buffer.from(text)),
  // Cut anywhere, also within a character.
  fc.tuple(anyText, fc.nat(9), fc.nat(9)).map(([text, start, end]) => {
    const bytes = Buffer.from(text)
    return bytes.subarray(start, Math.max(start, bytes.length - end))
  }),
)

test('whatever the bytes are, nothing dangerous is shown', () => {
  fc.assert(
    fc.property(anything, data => {
      assert.doesNotMatch(printable(data), dangerous)
      assert.doesNotMatch(printable(Buffer.from(data).toString('utf8')), dangerous)
    }),
    { numRuns: short(1000, 150) },
  )
})

test('with keepLines only newlines and tabs are kept', () => {
  fc.assert(
    fc.property(anything, data => {
      const shown = printable(data, { keepLines: true })
      assert.doesNotMatch(shown.replaceAll(/[\n\t]/g, ''), dangerous)
      const newlines = data.filter(byte => byte === 0x0a).length
      assert.equal(shown.split('\n').length - 1, newlines)
    }),
    { numRuns: short(1000, 150) },
  )
})

test('plain ASCII is shown as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-ascii' }), text => {
      assert.equal(printable(Buffer.from(text)), text)
    }),
  )
})

test('what is shown for what', () => {
  const rows: [data: Buffer | string, shown: string][] = [
    ['Grüße, 漢字, עברית, 🎵!', 'Grüße, 漢字, עברית, 🎵!'],
    ['a\nb\r\tc', String.raw`a\nb\r\tc`],
    ['\u001b]0;title\u0007', String.raw`\x1b]0;title\x07`],
    ['\u009b31m', String.raw`\u{9b}31m`],
    ['x\u202ecod.exe', String.raw`x\u{202e}cod.exe`],
    ['\ufeffx', String.raw`\u{feff}x`],
    ['\u3164\u2800\u{e0041}', String.raw`\u{3164}\u{2800}\u{e0041}`],
    ['\ud800', String.raw`\u{d800}`],
    // Bytes that are no UTF-8: foreign, alone, too long a form, half a surrogate pair, cut off.
    [Buffer.from([0x41, 0xff, 0xc3, 0xa4, 0x1b]), String.raw`A\xffä\x1b`],
    [Buffer.from([0x9b, 0x41]), String.raw`\x9bA`],
    [Buffer.from([0xc0, 0x9b, 0xe0, 0x82, 0x9b]), String.raw`\xc0\x9b\xe0\x82\x9b`],
    [Buffer.from([0xed, 0xa0, 0x80]), String.raw`\xed\xa0\x80`],
    [Buffer.from('漢字').subarray(0, 5), String.raw`漢\xe5\xad`],
  ]
  for (const [data, shown] of rows) {
    assert.equal(printable(data), shown)
    if (typeof data === 'string' && Buffer.from(data).toString() === data)
      assert.equal(printable(Buffer.from(data)), shown)
  }
})

test('a hex dump has every byte, its offset, and only printable ASCII', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(0xffff), (data, offset) => {
      const dump = hexDump(data, offset)
      assert.match(dump, /^[\n -~]*$/)
      const lines = dump === '' ? [] : dump.split('\n')
      assert.equal(lines.length, Math.ceil(data.length / 16))
      const back = lines.map((line, n) => {
        assert.equal(Number.parseInt(line.slice(0, 6), 16), offset + n * 16)
        return Buffer.from(line.slice(8, 55).replaceAll(' ', ''), 'hex')
      })
      assert.ok(Buffer.concat(back).equals(data))
    }),
  )
  assert.equal(
    hexDump(Buffer.from('Hello,\n\u001b[31m wörld'), 16),
    '000010  48 65 6c 6c 6f 2c 0a 1b 5b 33 31 6d 20 77 c3 b6  Hello,..[31m w..\n' +
      '000020  72 6c 64                                         rld',
  )
})

test('words are listed as a sentence has them, however many there are', () => {
  assert.equal(listed([]), '')
  assert.equal(listed(['udp']), 'udp')
  assert.equal(listed(['ws', 'udp']), 'ws and udp')
  assert.equal(listed(['ws', 'wss', 'udp']), 'ws, wss and udp')
  assert.equal(listed(['ws', 'wss', 'udp'], 'or'), 'ws, wss or udp')
})
