/** The fuzzing in its short form; `npm run fuzz` goes on for minutes. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { onlyFull, short } from '../../full.suite.ts'
import { checkGrowth, checkParser, notParsers, parsers, streams } from './fuzz.suite.ts'
import type { Stream } from './parser.suite.ts'

const sources = fileURLToPath(new URL('../../../src/wire', import.meta.url))

test('every file of wire/ is fed, or reads nothing of another side', () => {
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .map(file => file.replaceAll('\\', '/'))
    .filter(file => /(?<!\.(test|suite))\.ts$/.test(file))
  const fed = new Set(parsers.flatMap(parser => parser.files))
  const known = [...fed, ...Object.keys(notParsers)]
  assert.deepEqual(known.toSorted(), files.toSorted())
})

for (const parser of parsers)
  test(`any bytes for ${parser.files.join(', ')}: read, or refused with a reason`, () => {
    checkParser(parser, { runs: short(5_000, 100) })
  })

for (const stream of streams) {
  const skip = stream.files[0] !== 'ws/frame-reader.ts' && onlyFull
  test(`what never ends does not fill the memory of ${stream.files[0]}`, { skip }, () => {
    checkGrowth(stream, short(4, 1))
  })
}

/** A reader with a defect in it. */
const made = (open: Stream['open']): Stream => ({
  kind: 'stream',
  files: ['made'],
  words: ['a', 'b'],
  samples: [Buffer.from('ab')],
  open,
  holdsMaxBytes: 1_000,
  endless: [['', 'a']],
})

test('a reader that throws, or that keeps all pieces, is found', () => {
  const throwing = made(() => piece => {
    if (piece.includes('bba')) throw new RangeError('made')
    return true
  })
  const isOurs = ({ cause }: Error) => cause instanceof RangeError
  assert.throws(() => checkParser(throwing, { runs: 1_000, seed: 1 }), isOurs)
  const keeping = made(() => {
    const kept: Buffer[] = []
    return piece => kept.push(piece) > 0
  })
  assert.throws(() => checkGrowth(keeping), /made holds \d+ bytes, and may hold \d+/)
})
