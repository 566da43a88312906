/**
 * npm run bench:pacing: what a generator does to the tail that it measures. One connection, a
 * message every millisecond, sent in turn by the engines of yodel and by a loop in C that sleeps
 * (controls/c/pace.c), to the same server.
 *
 *   npm run bench:pacing -- [--rounds 9] [--seconds 3] [--rate 1000] [--against MAIN]
 *
 * `--against` is the dist/cli/main.js of another build, whose node engine takes part. Nothing is
 * pinned: server and generator share the processors as they would for a user.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { builtFolder, contestants, controlsFolder } from './contestants.ts'
import { prepare, startContestant } from './contestants.ts'
import { median } from './figures.ts'

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    seconds: { type: 'string', default: '3' },
    rate: { type: 'string', default: '1000' },
    against: { type: 'string' },
  },
})
const main = new URL('../../dist/cli/main.js', import.meta.url).pathname
const [rounds, seconds] = [Number(flags.rounds), Number(flags.seconds)]
const warmupMs = 1_000

/** Values and how often each came, in their order. */
type Buckets = [us: number, count: number][]

interface Round {
  response: Buckets
  lateness: Buckets
  /**
   * Share of a processor that the whole process took, and how often per second it was interrupted.
   */
  cpuShare: number
  interrupted: number
  slept: number
}

interface Figures {
  cpuSeconds: number
  interrupted: number
  slept: number
}

/** Of all threads that a process has; undefined when it is gone. */
function figuresOf(pid: number): Figures | undefined {
  const sum: Figures = { cpuSeconds: 0, interrupted: 0, slept: 0 }
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const folder = `/proc/${pid}/task/${task}`
      sum.cpuSeconds += Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ')[0]) / 1e9
      const status = readFileSync(`${folder}/status`, 'utf8')
      const switches = (of: string) =>
        Number(new RegExp(`^${of}_ctxt_.*\\s(\\d+)$`, 'm').exec(status)![1])
      sum.interrupted += switches('nonvoluntary')
      sum.slept += switches('voluntary')
    }
    return sum
  } catch {
    return undefined
  }
}

async function run([program, ...args]: string[]): Promise<Round> {
  const running = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  running.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  // Between two looks in the measured time: to start it takes a processor, too.
  const looks: (Figures & { atMs: number })[] = []
  const fromMs = performance.now() + warmupMs + 1_000
  const toMs = fromMs + seconds * 1e3 - 1_000
  const looking = setInterval(() => {
    const atMs = performance.now()
    const figures = atMs < fromMs || atMs > toMs ? undefined : figuresOf(running.pid!)
    if (figures) looks.push({ ...figures, atMs })
  }, 100)
  await once(running, 'close')
  clearInterval(looking)
  const found = JSON.parse(text) as {
    histograms?: Record<'responseUs' | 'latenessUs', Buckets>
    responseUs: number[]
    latenessUs: number[]
  }
  const [first, last] = [looks[0]!, looks.at(-1)!]
  const passed = (last.atMs - first.atMs) / 1e3
  const each = (values: number[]): Buckets => values.map(value => [value, 1])
  return {
    response: found.histograms?.responseUs ?? each(found.responseUs),
    lateness: found.histograms?.latenessUs ?? each(found.latenessUs),
    cpuShare: (last.cpuSeconds - first.cpuSeconds) / passed,
    interrupted: (last.interrupted - first.interrupted) / passed,
    slept: (last.slept - first.slept) / passed,
  }
}

function ranked(buckets: Buckets, share: number): number {
  const count = buckets.reduce((sum, [, count]) => sum + count, 0)
  let seen = 0
  for (const [us, many] of buckets) if ((seen += many) >= share * count) return us
  throw new Error('nothing was measured')
}

const byYodel = (path: string, engine: string) => (port: number) => {
  const load = ['--engine', engine, '--rate', flags.rate, '--connections', '1']
  const times = ['--duration', `${seconds}s`, '--warmup', `${warmupMs}ms`]
  return [process.execPath, path, 'bench', `tcp://127.0.0.1:${port}`, ...load, ...times, '--json']
}
const generators: Record<string, (port: number) => string[]> = {
  'yodel uring': byYodel(main, 'uring'),
  'yodel node': byYodel(main, 'node'),
}
if (flags.against) generators['yodel node, before'] = byYodel(flags.against, 'node')
const pace = `${builtFolder}pace`
const server = contestants.find(({ name, needs }) =>
  spawnSync('which', ['cc']).status === 0 ? name === 'c epoll' : needs.length === 0,
)!
const ready = prepare(server)
if (typeof ready === 'string') throw new Error(ready)
if (spawnSync('cc', ['-O2', '-o', pace, `${controlsFolder}c/pace.c`]).status === 0)
  generators['c, sleeping'] = port => {
    const times = [flags.rate, String(warmupMs), String(seconds * 1e3)]
    return [pace, String(port), ...times]
  }

const found = new Map<string, Round[]>(Object.keys(generators).map(name => [name, []]))
for (let round = 0; round < rounds; round++)
  for (const [name, command] of Object.entries(generators)) {
    const running = await startContestant(server, { anywhere: true })
    found.get(name)!.push(await run(command(running.port)))
    await running.stop()
  }

const columns: [name: string, of: (round: Round) => number, digits: number][] = [
  ['p50', ({ response }) => ranked(response, 0.5), 0],
  ['p99', ({ response }) => ranked(response, 0.99), 0],
  ['p99.9', ({ response }) => ranked(response, 0.999), 0],
  ['late p50', ({ lateness }) => ranked(lateness, 0.5), 1],
  ['late p99', ({ lateness }) => ranked(lateness, 0.99), 0],
  ['processor', ({ cpuShare }) => cpuShare * 100, 1],
  ['interrupted/s', ({ interrupted }) => interrupted, 0],
  ['slept/s', ({ slept }) => slept, 0],
]
console.log(`server: ${server.name}; ${flags.rate}/s on one connection; `)
console.log(`medians of ${rounds} rounds of ${seconds} s; times in us, processor in %\n`)
console.log(`| generator | ${columns.map(([name]) => name).join(' | ')} | p99 to that of uring |`)
console.log(`| --- |${' ---: |'.repeat(columns.length + 1)}`)
const ringP99 = median(found.get('yodel uring')!.map(columns[1]![1]))
for (const [name, all] of found) {
  const medians = columns.map(([, of, digits]) => median(all.map(of)).toFixed(digits))
  const ratio = median(all.map(columns[1]![1])) / ringP99
  console.log(`| ${[name, ...medians, ratio.toFixed(2)].join(' | ')} |`)
}
