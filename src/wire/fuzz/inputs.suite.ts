/** Inputs for a parser: its words in any order, samples with mistakes, and random bytes. */
import fc from 'fast-check'
import type { Parser, Word } from './parser.suite.ts'

export const bytesOf = (word: Word): Buffer =>
  typeof word === 'string' ? Buffer.from(word, 'latin1') : word

/** One word again and again, at most so much of it. */
const repeatedMaxBytes = 65_536

interface Mistake {
  kind: 'flip' | 'remove' | 'insert' | 'repeat'
  at: number
  length: number
  inserted: Uint8Array
}

const mistake: fc.Arbitrary<Mistake> = fc.record({
  kind: fc.constantFrom('flip', 'remove', 'insert', 'repeat'),
  at: fc.nat(4_000),
  length: fc.nat(40),
  inserted: fc.uint8Array({ maxLength: 8 }),
})

function spoiled(sample: Buffer, mistakes: readonly Mistake[]): Buffer {
  let bytes = Buffer.from(sample)
  for (const { kind, at, length, inserted } of mistakes) {
    const from = at % (bytes.length + 1)
    const before = bytes.subarray(0, from)
    const part = bytes.subarray(from, from + length)
    const after = bytes.subarray(from + length)
    if (kind === 'remove') bytes = Buffer.concat([before, after])
    else if (kind === 'insert') bytes = Buffer.concat([before, inserted, part, after])
    else if (kind === 'repeat') bytes = Buffer.concat([before, part, part, after])
    else if (from < bytes.length) bytes[from]! ^= 1 << (length & 7)
  }
  return bytes
}

export function inputsFor({ words, samples }: Parser): fc.Arbitrary<Buffer> {
  const word = fc.constantFrom(...words.map(bytesOf))
  const repeated = fc
    .tuple(word, fc.integer({ min: 2, max: 400 }))
    .map(([one, times]) => Buffer.concat(Array.from({ length: times }, () => one)))
    .map(bytes => bytes.subarray(0, repeatedMaxBytes))
  const sample = fc
    .tuple(fc.constantFrom(...samples), fc.array(mistake, { maxLength: 4 }))
    .map(([right, mistakes]) => spoiled(right, mistakes))
  const part = fc.oneof(
    { weight: 8, arbitrary: word },
    { weight: 3, arbitrary: sample },
    { weight: 3, arbitrary: fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)) },
    { weight: 1, arbitrary: repeated },
  )
  return fc.array(part, { maxLength: 20 }).map(parts => Buffer.concat(parts))
}

/** Places, or between all of the first bytes. */
export type Cuts = readonly number[] | 'everywhere'
const singleBytes = 1_000

export const cuts: fc.Arbitrary<Cuts> = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.nat(100_000), { maxLength: 8 }) },
  { weight: 1, arbitrary: fc.constant('everywhere' as const) },
)

export function cut(bytes: Buffer, places: Cuts): Buffer[] {
  const at =
    places === 'everywhere'
      ? Array.from({ length: Math.min(singleBytes, bytes.length) }, (_, n) => n + 1)
      : places.map(place => place % (bytes.length + 1)).toSorted((a, b) => a - b)
  return [0, ...at].map((from, n) => bytes.subarray(from, at[n] ?? bytes.length))
}
