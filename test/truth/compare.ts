/**
 * Whether a comparison of rounds can be believed: equal sides that it calls different, and
 * differences that it finds. The runs are recorded once, on a quiet machine and on a busy one; then
 * comparisons are drawn from them. `-- analyse` draws again from what was recorded.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { bench } from 'yodel'
import type * as Answers from '../../src/report/rounds-answers.ts'
import type * as Objective from '../../src/report/objective.ts'
import type * as Random from '../../src/vocabulary/random.ts'
import { built, root, yodelServe } from '../program.ts'
import { watchOthers } from './noise.ts'

const { claim, compareValues } = (await import(built('report/rounds-answers.js'))) as typeof Answers
const { parseMetric } = (await import(built('report/objective.js'))) as typeof Objective
const { mix } = (await import(built('vocabulary/random.js'))) as typeof Random

const recordedPath = `${root}test/truth/compare-runs.csv`
const page = `${root}docs/compare.md`
const [begin, end] = ['<!-- npm run truth:compare -->', '<!-- as it was measured -->']

const conditions = { quiet: 0, busy: 2 } as const
type Condition = keyof typeof conditions
/** Together with starts and ends a recording takes less than twelve minutes. */
const recordMs = Number(process.env['RECORD_SECONDS'] ?? 335) * 1e3
const run = { connections: 1, durationMs: 2_000, warmupMs: 200 }
const loadText = 'a closed loop over 1 connection, 2 s each'

const figures = ['rate', 'p50', 'p99'] as const
type Figure = (typeof figures)[number]
type Recorded = { condition: string; valid: boolean } & Record<Figure, number | null>
/** Two runs, one right after the other. */
type Block = readonly [Recorded, Recorded]

/** Runs of the same server, while this many other processes are busy. */
async function record(condition: Condition): Promise<Recorded[]> {
  // Should this process be killed, they end as well.
  const endless = 'const parent = process.ppid; while (process.ppid === parent);'
  const busy = Array.from({ length: conditions[condition] }, () =>
    spawn(process.execPath, ['-e', endless], { stdio: 'ignore' }),
  )
  const { program, url } = await yodelServe()
  const pids = [...busy, program.child].map(({ pid }) => pid!)
  const others = watchOthers(pids)
  const recorded: Recorded[] = []
  const endMs = performance.now() + recordMs
  let share: number | undefined
  try {
    while (performance.now() < endMs) {
      const result = await bench(url, run).finished
      const values = figures.map(name => [name, parseMetric(name).of(result)])
      recorded.push({ condition, valid: result.valid, ...Object.fromEntries(values) } as Recorded)
    }
    share = others()
  } finally {
    for (const { pid } of busy) process.kill(pid!)
    program.kill()
    await Promise.all([program.finished, ...busy.map(child => once(child, 'exit'))])
  }
  const used = share === undefined ? 'unknown' : `${share.toFixed(2)} of a processor`
  console.log(`${condition}: ${recorded.length} runs; other programs used ${used}`)
  return recorded
}

const head = ['condition', 'valid', ...figures]
const toCsv = (runs: readonly Recorded[]): string =>
  [
    head,
    ...runs.map(({ condition, valid, ...of }) => [condition, valid, ...figures.map(f => of[f])]),
  ]
    .map(cells => `${cells.map(cell => cell ?? '').join(',')}\n`)
    .join('')

function fromCsv(text: string): Recorded[] {
  const [, ...lines] = text.trimEnd().split('\n')
  return lines.map(line => {
    const [condition, valid, ...values] = line.split(',')
    const of = figures.map((name, at) => [name, values[at] === '' ? null : Number(values[at])])
    return { condition, valid: valid === 'true', ...Object.fromEntries(of) } as Recorded
  })
}

/** As rounds have them: a pair with a run that is not valid is left out. */
function blocksOf(runs: readonly Recorded[]): Block[] {
  const pairs = Array.from(
    { length: runs.length >> 1 },
    (_, n) => [runs[2 * n]!, runs[2 * n + 1]!] as const,
  )
  return pairs.filter(pair => pair.every(({ valid }) => valid))
}

interface Injected {
  figure: Figure
  factor: number
}

/** A comparison of blocks, drawn without replacement; a coin says which run is which side. */
function compareDrawn(blocks: readonly Block[], rounds: number, seed: number, injected?: Injected) {
  let place = mix(seed)
  const left = [...blocks]
  const drawn = Array.from({ length: rounds }, () => {
    const [block] = left.splice(Math.floor((mix(place++) / 2 ** 32) * left.length), 1)
    return mix(place++) >>> 31 ? block! : ([block![1], block![0]] as const)
  })
  const compared = figures.map(figure => {
    const factor = injected?.figure === figure ? injected.factor : 1
    const before = drawn.map(([baseline]) => baseline[figure])
    const after = drawn.map(([, subject]) => subject[figure])
    const moved = after.map(value => value && value * factor)
    return compareValues(parseMetric(figure), before, moved, seed)
  })
  claim(compared, 0.05)
  return compared
}

const falseAlarms = (blocks: readonly Block[], rounds: number, count: number): number =>
  Array.from({ length: count }, (_, seed) => compareDrawn(blocks, rounds, seed)).filter(found =>
    found.some(({ answer }) => answer === 'better' || answer === 'worse'),
  ).length

const foundOf = (blocks: readonly Block[], rounds: number, count: number, injected: Injected) =>
  Array.from({ length: count }, (_, seed) => compareDrawn(blocks, rounds, seed, injected)).filter(
    found => found.some(({ metric, answer }) => metric === injected.figure && answer === 'worse'),
  ).length

/** Between runs, as a share of their mean. */
function variation(runs: readonly Recorded[], figure: Figure): number {
  const values = runs.flatMap(({ valid, [figure]: value }) => (valid && value ? [value] : []))
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return Math.sqrt(squares / (values.length - 1)) / mean
}

const alarmsMax = 16
const comparisons = 200
const trials = 100
const [usualRounds, moreRounds] = [10, 16]
const bars = [
  { figure: 'p50', factor: 1.1, least: 90, variationMax: 0.06 },
  { figure: 'p99', factor: 1.2, least: 70, variationMax: 0.15 },
] as const

const percent = (share: number) => `${(share * 100).toFixed(1)} %`

/** What is said of the recorded runs, and whether the bars are met. */
function analyse(runs: readonly Recorded[]): { lines: string[]; met: boolean } {
  const lines = [
    '| runs | valid | variation of p50, p99 | what | found |',
    '| --- | --- | --- | --- | --- |',
  ]
  let met = true
  for (const condition of Object.keys(conditions) as Condition[]) {
    const own = runs.filter(run => run.condition === condition)
    const blocks = blocksOf(own)
    if (blocks.length < 2 * usualRounds) {
      console.log(`${condition}: ${blocks.length} valid pairs are too few to draw from`)
      met = false
      continue
    }
    const spread = bars.map(({ figure }) => percent(variation(own, figure))).join(', ')
    const valid = own.filter(run => run.valid).length
    const about = `| ${own.length}, ${condition} | ${valid} | ${spread} |`
    const alarms = falseAlarms(blocks, usualRounds, comparisons)
    met &&= alarms <= alarmsMax
    lines.push(`${about} equal sides, ${usualRounds} rounds | ${alarms} of ${comparisons} |`)
    for (const { figure, factor, least, variationMax } of bars)
      for (const rounds of [usualRounds, moreRounds]) {
        const found = foundOf(blocks, rounds, trials, { figure, factor })
        const isBar = variation(own, figure) <= variationMax && rounds > usualRounds
        if (isBar) met &&= found >= least
        const what = `${figure} +${Math.round((factor - 1) * 100)} %, ${rounds} rounds`
        lines.push(`${about} ${what} | ${found} of ${trials} |`)
      }
  }
  return { lines, met }
}

function writePage(lines: readonly string[]) {
  const text = readFileSync(page, 'utf8')
  const [before, rest] = text.split(begin) as [string, string]
  const after = rest.slice(rest.indexOf(end))
  const day = new Date().toISOString().slice(0, 10)
  const how = `${day}, ${loadText}, server and generator on one machine:`
  const said = `${how}\n\n${lines.join('\n')}\n\n`
  writeFileSync(page, `${before}${begin}\n\n${said}${after}`)
}

const onlyAnalyse = process.argv[2] === 'analyse'
if (!onlyAnalyse) {
  const runs: Recorded[] = []
  for (const condition of Object.keys(conditions) as Condition[])
    runs.push(...(await record(condition)))
  writeFileSync(recordedPath, toCsv(runs))
}
const { lines, met } = analyse(fromCsv(readFileSync(recordedPath, 'utf8')))
console.log(lines.join('\n'))
if (!process.env['RECORD_SECONDS']) writePage(lines)
console.log(met ? 'All bars are met.' : 'A bar is not met.')
if (!met) process.exitCode = 1
