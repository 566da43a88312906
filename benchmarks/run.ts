/** npm run bench: every measure, of every contestant that this machine can run, in rounds. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { parseArgs } from 'node:util'
import { beside, contestants, prepare, type Contestant, type Running } from './contestants.ts'
import { median } from './figures.ts'
import { buildLoad } from './loads.ts'
import { measures, type Measure } from './measures.ts'

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    ms: { type: 'string', default: '1000' },
    'warmup-ms': { type: 'string', default: '1000' },
    /** Start each server once for a measure, and not in each round. */
    keep: { type: 'boolean', default: false },
    /** Names of measures, and parts of names of contestants, separated by commas. */
    only: { type: 'string', default: '' },
    of: { type: 'string', default: '' },
    /** The folder of another copy of yodel, built: its engines are measured, too. */
    beside: { type: 'string' },
    /** Write the result to benchmarks/results/DATE-NAME.md and .json. */
    save: { type: 'string' },
  },
})
const rounds = Number(flags.rounds)
const durationMs = Number(flags.ms)
const warmupMs = Number(flags['warmup-ms'])
const words = (list: string) => list.split(',').filter(word => word !== '')

/** Contestant → one figure per round. */
type Figures = Map<string, number[]>

/** The contestants, the control first; undefined if none is left to compare. */
function fieldOf(measure: Measure, ready: Contestant[]): Contestant[] | undefined {
  const wanted = words(flags.of)
  const able = ready.filter(({ transports = ['tcp'] }) => transports.includes(measure.transport))
  const inOrder = measure.contestants.flatMap(pattern => able.filter(c => pattern.test(c.name)))
  const field = [...new Set(inOrder)].filter(
    (c, index) => index === 0 || wanted.length === 0 || wanted.some(w => c.name.includes(w)),
  )
  return field.length > 1 ? field : undefined
}

/** Rounds in which each takes its turn, so that a slow spell of the machine hits all. */
async function compete(measure: Measure, field: Contestant[]): Promise<Figures> {
  const figures: Figures = new Map(field.map(({ name }) => [name, []]))
  const kept = flags.keep ? new Map<string, Running>() : undefined
  for (let round = 0; round < rounds; round++) {
    for (const contestant of field) {
      try {
        figures
          .get(contestant.name)!
          .push(await measure.run(contestant, { durationMs, warmupMs, kept }))
      } catch (error) {
        console.error(`${measure.name}: ${contestant.name}: ${(error as Error).message}`)
      }
    }
  }
  for (const server of kept?.values() ?? []) await server.stop()
  return figures
}

function table(measure: Measure, figures: Figures): string {
  const [control] = figures.values()
  const rows = [...figures].map(([name, values]) => {
    if (values.length < control!.length) return [name, 'failed', '', '']
    const ratios = values.map((value, round) => value / control![round]!)
    const range = `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`
    const digits = median(values) < 1000 ? 2 : 0
    return [name, median(values).toFixed(digits), median(ratios).toFixed(3), range]
  })
  const head = ['server', 'median', 'ratio', 'range']
  const lines = [head, ['---', '---:', '---:', '---'], ...rows].map(row => `| ${row.join(' | ')} |`)
  const title = `### ${measure.name}: ${measure.unit} (${control!.length} rounds)`
  return `${title}\n\n${lines.join('\n')}\n`
}

function conditions(load: string, versions: string[]): string {
  const model = cpus()[0]?.model ?? 'unknown processor'
  return [
    `- ${new Date().toISOString().slice(0, 10)}, Linux ${release()}, ${cpus().length} × ${model}`,
    `- npm run bench -- ${process.argv.slice(2).join(' ')}`,
    `- load: ${load}; every byte verified; ${durationMs} ms each after ${warmupMs} ms`,
    `- ${rounds} interleaved rounds`,
    '- ratio: median over the rounds of figure / first row in the same round; smaller is better',
    ...versions.map(version => `- ${version}`),
  ].join('\n')
}

const only = words(flags.only)
const chosen = measures.filter(({ name }) => only.length === 0 || only.includes(name))
if (chosen.length === 0) {
  console.error(`nothing to measure: --only takes ${measures.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
const load = buildLoad()
const all = [...contestants, ...(flags.beside === undefined ? [] : beside(flags.beside))]
const ready: Contestant[] = []
const versions: string[] = []
for (const contestant of new Set(chosen.flatMap(m => fieldOf(m, all) ?? []))) {
  const prepared = prepare(contestant)
  if (typeof prepared === 'string') console.error(`left out: ${contestant.name}: ${prepared}`)
  else ready.push(contestant)
  const version = typeof prepared === 'string' ? `left out, ${prepared}` : prepared.version
  versions.push(`${contestant.name}: ${version}`)
}
const head = conditions(load, versions)
console.log(`${head}\n`)

const results: Record<string, Record<string, number[]>> = {}
const tables: string[] = []
for (const measure of chosen) {
  const field = fieldOf(measure, ready)
  if (!field) continue
  const figures = await compete(measure, field)
  results[measure.name] = Object.fromEntries(figures)
  tables.push(table(measure, figures))
  console.log(tables.at(-1))
}
if (flags.save !== undefined) {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  const path = `benchmarks/results/${new Date().toISOString().slice(0, 10)}-${flags.save}`
  mkdirSync('benchmarks/results', { recursive: true })
  writeFileSync(`${path}.md`, `# yodel ${version}\n\n${head}\n\n${tables.join('\n')}`)
  writeFileSync(`${path}.json`, `${JSON.stringify({ conditions: head, results })}\n`)
}
