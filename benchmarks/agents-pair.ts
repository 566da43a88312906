/**
 * What it changes that agents send: two of them on this machine, against an echo server in C, and
 * one process that sends the same plan with two threads; in rounds, each first in every other one.
 *
 *   npm run bench:agents:pair -- [--rounds 9] [--rate 20000] [--seconds 6] [--engine node]
 *
 * Prints the response times of both, and what a message costs its sender: processor time of the
 * two agents, or of the one process, in the seconds between the first and the last report.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bench, type BenchOptions, type RunResult } from 'yodel'
import { startBroker } from '../test/peers/mqtt.ts'
import { contestants, prepare, startContestant } from './contestants.ts'
import { median } from './figures.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    rate: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '6' },
    engine: { type: 'string', default: 'uring,node' },
  },
})
const [rounds, rate, seconds] = [values.rounds, values.rate, values.seconds].map(Number) as [
  number,
  number,
  number,
]
const connections = 20
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** A tick of proc_pid_stat(5). */
const tickUs = 10_000
/** Processor time of a process in microseconds, with that of threads that have ended. */
function cpuUs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * tickUs
}

/** How much of a processor they use, from its first call to its last. */
class Meter {
  #first: { atMs: number; us: number } | undefined
  #last: { atMs: number; us: number } | undefined
  readonly #pids: () => number[]

  constructor(pids: () => number[]) {
    this.#pids = pids
  }

  look(): void {
    const us = this.#pids().reduce((sum, pid) => sum + cpuUs(pid), 0)
    this.#last = { atMs: performance.now(), us }
    this.#first ??= this.#last
  }

  get usPerSecond(): number {
    const [first, last] = [this.#first!, this.#last!]
    return ((last.us - first.us) / (last.atMs - first.atMs)) * 1e3
  }
}

interface Round {
  result: RunResult
  /** Microseconds of processor time of a message. */
  costUs: number
  /** What the coordinator used besides, with the broker. */
  leadingUs?: number
}

function checked(result: RunResult): RunResult {
  for (const reason of [...result.invalidBecause, ...result.failedBecause])
    console.error(`  ${reason}`)
  return result
}

async function alone(address: string, engine: string): Promise<Round> {
  const times = ['--duration', `${seconds}s`, '--warmup', '1s', '--rate', String(rate)]
  const shape = ['--connections', String(connections), '--threads', '2', '--engine', engine]
  const args = [main, 'bench', address, '--ndjson', ...times, ...shape]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const meter = new Meter(() => [child.pid!])
  let result: RunResult | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { event?: string } & RunResult
    if (said.event === 'interval') meter.look()
    else result = said
  }
  const perSecond = result!.rates.achievedPerSecond!
  return { result: checked(result!), costUs: meter.usPerSecond / perSecond }
}

async function together(
  address: string,
  engine: string,
  broker: string,
  agents: ChildProcess[],
): Promise<Round> {
  const run = bench(address, {
    connections,
    ratePerSecond: rate,
    durationMs: seconds * 1e3,
    warmupMs: 1_000,
    threads: 1,
    engine: engine as NonNullable<BenchOptions['engine']>,
    agents: agents.length,
    broker,
  })
  const meter = new Meter(() => agents.map(({ pid }) => pid!))
  const own = new Meter(() => [process.pid])
  run.onInterval(() => {
    meter.look()
    own.look()
  })
  const result = await run.finished
  const perSecond = result.rates.achievedPerSecond!
  const [costUs, leadingUs] = [meter.usPerSecond / perSecond, own.usPerSecond / perSecond]
  return { result: checked(result), costUs, leadingUs }
}

const shares = ['p50', 'p90', 'p99'] as const
/** A share of all response times lies at or below this, in microseconds. */
function quantile({ histograms }: RunResult, share: number): number {
  const buckets = histograms.responseUs
  let left = share * buckets.reduce((sum, [, count]) => sum + count, 0)
  return buckets.find(([, count]) => (left -= count) <= 0)![0]
}

const control = contestants.find(({ name }) => name === 'c epoll')!
const ready = prepare(control)
if (typeof ready === 'string') throw new Error(ready)
const server = await startContestant(control, { scheme: '' })
const address = `tcp://127.0.0.1:${server.port}`
const broker = await startBroker()
const agents = ['one', 'two'].map(name =>
  spawn(process.execPath, [main, 'agent', broker.url, '--name', name], { stdio: 'ignore' }),
)
process.once('exit', () => agents.forEach(child => child.kill()))
for (const engine of values.engine.split(',')) {
  const found: [alone: Round, together: Round][] = []
  for (let round = 0; round < rounds; round++) {
    const before = round % 2 === 0 ? await alone(address, engine) : undefined
    const two = await together(address, engine, broker.url, agents)
    const one = before ?? (await alone(address, engine))
    found.push([one, two])
    const figures = [one, two].map(({ result, costUs }) => {
      const times = shares.map(share => `${share} ${result.responseUs[share]!.toFixed(0)} us`)
      return `${times.join(', ')}, ${costUs.toFixed(1)} us`
    })
    console.log(`${engine} ${round + 1}: one process ${figures[0]}; two agents ${figures[1]}`)
  }
  const ratio = (of: (round: Round) => number) => {
    const one = median(found.map(([each]) => of(each)))
    const two = median(found.map(([, each]) => of(each)))
    const paired = median(found.map(([a, b]) => of(b) / of(a)))
    return `${one.toFixed(1)} and ${two.toFixed(1)} us, median of the ratios ${paired.toFixed(3)}`
  }
  const tenths = Array.from({ length: 9 }, (_, n) => (n + 1) / 10)
  const apart = tenths.map(share =>
    Math.abs(
      median(found.map(([a, b]) => quantile(b.result, share) / quantile(a.result, share))) - 1,
    ),
  )
  const most = `${(Math.max(...apart) * 100).toFixed(1)} %`
  console.log(
    `${engine}: of the tenths of all response times, the one furthest apart is so by ${most}`,
  )
  for (const share of shares)
    console.log(`${engine}: ${share} ${ratio(({ result }) => result.responseUs[share]!)}`)
  console.log(`${engine}: processor time of a message ${ratio(({ costUs }) => costUs)}`)
  const leading = median(found.map(([, { leadingUs }]) => leadingUs!))
  console.log(`${engine}: coordinator and broker ${leading.toFixed(2)} us of a message`)
}
for (const child of agents) {
  child.kill()
  await once(child, 'exit')
}
await broker.kill()
await server.stop()
