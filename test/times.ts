/**
 * What each test takes of the processors, with the programs that it started and that have ended:
 * `--times`. The runner has each of its processes write that down.
 */
import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { basename } from 'node:path'
import { afterEach } from 'node:test'

/** One test, or what else a process has done. */
interface Taken {
  name: string
  ms: number
  /** How many it started. */
  threads: number
}

/** Where; the runner decides it when this file is loaded already. */
const place = () => process.env['TIMES']

/** In a process of the runner. @returns what is to be told of each file that is loaded */
export function watch(): (file: string) => void {
  const path = place()
  if (path === undefined) return () => {}
  let threads = 0
  let last = takenMs()
  process.on('worker', () => threads++)
  const write = (name: string) => {
    const nowMs = takenMs()
    const taken: Taken = { name, ms: nowMs - last, threads }
    last = nowMs
    threads = 0
    appendFileSync(path, `${JSON.stringify(taken)}\n`)
  }
  write('(to begin)')
  afterEach(context => write(context.name))
  process.once('exit', () => write('(to end)'))
  return file => write(`(to load ${basename(file)})`)
}

/** Of this process with its threads, and of its children that have ended (proc_pid_stat(5)). */
function takenMs(): number {
  const { user, system } = process.cpuUsage()
  const ownMs = (user + system) / 1e3
  if (process.platform !== 'linux') return ownMs
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!.split(' ')
  // A hundredth of a second each.
  return ownMs + (Number(fields[13]) + Number(fields[14])) * 10
}

/** In the runner: what was written down, the most first. @param fileOf the file of a test */
export function tell(fileOf: (test: string) => string): void {
  const path = place()
  if (path === undefined || !existsSync(path)) return
  const lines = readFileSync(path, 'utf8').trim().split('\n')
  rmSync(path)
  const all = lines.map(line => JSON.parse(line) as Taken)
  const files = new Map<string, Taken>()
  for (const { name, ms, threads } of all) {
    const file = fileOf(name)
    const sum = files.get(file) ?? { name: file, ms: 0, threads: 0 }
    files.set(file, { name: file, ms: sum.ms + ms, threads: sum.threads + threads })
  }
  const total = all.reduce((sum, { ms }) => sum + ms, 0)
  console.log(`Processor time of the tests: ${inSeconds(total)}. By file, then by test:`)
  const most = (taken: Taken[]) => taken.toSorted((a, b) => b.ms - a.ms).filter(isMuch)
  for (const { name, ms, threads } of most([...files.values()]))
    console.log(`  ${inSeconds(ms)}, ${threads} threads: ${name}`)
  console.log()
  for (const { name, ms, threads } of most(all))
    console.log(`  ${inSeconds(ms)}, ${threads} threads: ${fileOf(name)}: ${name}`)
}

const isMuch = ({ ms }: Taken) => ms >= 100
const inSeconds = (ms: number) => `${(ms / 1000).toFixed(2).padStart(7)} s`
