/**
 * Feeds parsers with rubbish. None may throw anything but its refusal, and none may keep more than
 * it is allowed to, whatever comes.
 */
import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { beginnings } from './beginnings.suite.ts'
import { bytesOf, cut, cuts, inputsFor, type Cuts } from './inputs.suite.ts'
import type { Beginning, Parser, Stream } from './parser.suite.ts'
import { streams } from './streams.suite.ts'
import { wholes } from './wholes.suite.ts'

export type { Parser, Stream } from './parser.suite.ts'
export { streams }
export const parsers: readonly Parser[] = [...beginnings, ...streams, ...wholes]

/** The files of wire/ that read nothing of another side. */
export const notParsers: Readonly<Record<string, string>> = {
  'old-services.ts': 'is sent',
  'tls/der.ts': 'writes',
  'ws/frames.ts': 'writes',
}

/** @throws Error with the shortest input that a parser does not survive */
export function checkParser(parser: Parser, { runs, seed }: { runs: number; seed?: number }): void {
  const property = fc.property(inputsFor(parser), cuts, (bytes, places) =>
    feed(parser, bytes, places),
  )
  const numRuns = Math.ceil(runs / (parser.weight ?? 1))
  fc.assert(property, { numRuns, ...(seed !== undefined && { seed }) })
}

function feed(parser: Parser, bytes: Buffer, places: Cuts): void {
  try {
    if (parser.kind === 'whole') {
      parser.read(bytes)
      return
    }
    const pieces = cut(bytes, places)
    if (parser.kind === 'beginning') return grow(parser, pieces)
    const push = parser.open()
    // A copy, since some change the memory in which they read.
    for (const piece of pieces) if (!push(Buffer.from(piece))) return
  } catch (error) {
    if (!parser.refusal || !(error instanceof parser.refusal)) throw error
  }
}

/** Its caller adds each piece to what it has, and asks again. */
function grow(parser: Beginning, pieces: readonly Buffer[]): void {
  const { decidesWithinBytes } = parser
  let bytes: Buffer = Buffer.alloc(0)
  for (const piece of pieces) {
    bytes = Buffer.concat([bytes, piece])
    if (!parser.needsMore(bytes)) return
    assert.ok(bytes.length < decidesWithinBytes, `it has ${bytes.length} bytes, and needs more`)
  }
  const last = bytes.at(-1) ?? 0
  const enough = Buffer.concat([bytes, Buffer.alloc(decidesWithinBytes - bytes.length, last)])
  assert.ok(!parser.needsMore(enough), `it needs more than ${decidesWithinBytes} bytes`)
}

/** Nothing shorter can be seen beside what the engine of JavaScript keeps for itself. */
const noiseBytes = 2 * 2 ** 20
/** Some keep a piece for each that has come, so there are many short ones. */
const pieceSizes = [
  { bytes: 1, count: 50_000 },
  { bytes: 16_384, count: 128 },
]

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function memoryInUse(): number {
  // What a buffer held is freed behind the collection that has found it.
  for (let n = 0; n < 4; n++) collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/**
 * Feeds a parser with each of its inputs without an end.
 * @param times how often as much as usual
 * @throws Error if more memory is in use afterwards than all of them may hold
 */
export function checkGrowth(parser: Stream, times = 1): void {
  const all = parser.endless.flatMap(([begins, goesOn]) =>
    pieceSizes.map(size => ({ push: parser.open(), begins, goesOn, size })),
  )
  const before = memoryInUse()
  for (const { push, begins, goesOn, size } of all) {
    const count = Math.ceil((size.count * times) / (parser.pieceCost ?? 1))
    try {
      feedEndless(push, bytesOf(begins), bytesOf(goesOn), { ...size, count })
    } catch (error) {
      if (!parser.refusal || !(error instanceof parser.refusal)) throw error
    }
  }
  const grown = memoryInUse() - before
  // This uses all of them, so they are not garbage before.
  const mayHold = all.length * parser.holdsMaxBytes + noiseBytes
  assert.ok(grown <= mayHold, `${parser.files[0]} holds ${grown} bytes, and may hold ${mayHold}`)
}

function feedEndless(
  push: (piece: Buffer) => boolean,
  begins: Buffer,
  goesOn: Buffer,
  { bytes, count }: { bytes: number; count: number },
): void {
  if (begins.length > 0 && !push(Buffer.from(begins))) return
  const units = Math.ceil((bytes + goesOn.length) / goesOn.length)
  const block = Buffer.concat(Array.from({ length: units }, () => goesOn))
  for (let n = 0; n < count; n++) {
    const from = (n * bytes) % goesOn.length
    if (!push(Buffer.from(block.subarray(from, from + bytes)))) return
  }
}
