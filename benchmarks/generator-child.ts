/** One load generator of yodel as a process of its own: what a message costs it, as JSON. */
import { bench, type BenchOptions } from 'yodel'

const [address, options] = process.argv.slice(2) as [string, string]
const load = JSON.parse(options) as BenchOptions & { warmupMs: number; durationMs: number }
const run = bench(address, { ...load, durationMs: Infinity, warmupMs: 0 })
await run.ready
const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
const look = () => ({ cpu: process.cpuUsage(), ...run.snapshot() })
await sleep(load.warmupMs)
const before = look()
await sleep(load.durationMs)
const after = look()
run.stop()
const { verdict, run: conditions, invalidBecause, notes, generator } = await run.finished
const cpuUs = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system
const echoes = after.messagesReceived - before.messagesReceived
console.log(
  JSON.stringify({
    echoes,
    bytes: after.bytesIn - before.bytesIn,
    seconds: (after.atMs - before.atMs) / 1e3,
    load_cpu_s: cpuUs / 1e6,
    wrong: verdict === 'pass' ? 0 : 1,
    engine: conditions.engine,
    busy: generator.cpuShare,
    said: [...invalidBecause, ...notes].some(each => each.includes('generator')),
  }),
)
