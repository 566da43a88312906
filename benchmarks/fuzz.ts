/**
 * npm run fuzz: random bytes for every parser of wire/, for minutes; exit code 1 if one of them
 * throws what it should not, or keeps more than it may.
 */
import { parseArgs } from 'node:util'
import type * as Fuzz from '../src/wire/fuzz/fuzz.suite.ts'
import { campaignMs } from './campaign-time.ts'

/** The parsers are no part of the library. */
const suite = new URL('../../dist/wire/fuzz/fuzz.suite.js', import.meta.url).href
const { checkGrowth, checkParser, parsers } = (await import(suite)) as typeof Fuzz

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    /** Only parsers with this in the name of one of their files. */
    only: { type: 'string', default: '' },
    /** The first of the seeds, each of which is one more than the one before. */
    seed: { type: 'string', default: '1' },
  },
})

const lengthMs = campaignMs(flags)

/** Inputs for each parser, in a round. */
const runs = 500
/** So much more than in the tests never ends. */
const times = 20

const chosen = parsers.filter(({ files }) => files.some(file => file.includes(flags.only)))
if (chosen.length === 0) {
  console.error(`no file of wire/ that is fuzzed has ${flags.only} in its name`)
  process.exit(2)
}
let isSound = true
const check = (files: readonly string[], how: () => void) => {
  try {
    how()
  } catch (error) {
    isSound = false
    console.log(`${files.join(', ')}: ${(error as Error).stack}`)
  }
}

for (const parser of chosen)
  if (parser.kind === 'stream') check(parser.files, () => checkGrowth(parser, times))
const endMs = performance.now() + lengthMs
let seed = Number(flags.seed)
let saidMs = performance.now()
for (; performance.now() < endMs; seed++) {
  for (const parser of chosen) check(parser.files, () => checkParser(parser, { runs, seed }))
  if (!isSound) break
  if (performance.now() < saidMs + 60e3) continue
  saidMs = performance.now()
  console.log(`seed ${seed}: sound so far`)
}
const rounds = seed - Number(flags.seed)
const result = isSound ? 'sound' : 'with a defect'
console.log(`${chosen.length} parsers, ${rounds} rounds of ${runs} inputs: ${result}`)
if (!isSound) process.exitCode = 1
