/**
 * What it costs to lead many agents: a coordinator with its embedded broker, and agents of which
 * only the load is not real. They say that they are there, take their assignments, find their
 * offsets, and publish counts each second and a part at the end, as large as those of a load of so
 * many messages per second.
 *
 *   npm run bench:agents -- [--agents 1000] [--seconds 20] [--rate 1000]
 *
 * Prints what the process of the coordinator used of a processor and of memory in each second, and
 * how large a snapshot was. The agents are in processes of their own.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bench } from 'yodel'

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '20' },
    rate: { type: 'string', default: '1000' },
    processes: { type: 'string', default: '2' },
  },
})
const [agents, seconds, rate, processes] = [
  values.agents,
  values.seconds,
  values.rate,
  values.processes,
].map(Number) as [number, number, number, number]

const child = fileURLToPath(new URL('agents-child.js', import.meta.url))
const children: ChildProcess[] = []

function join(url: string) {
  for (let n = 0; n < processes; n++) {
    const share = Math.floor(agents / processes) + (n < agents % processes ? 1 : 0)
    const args = [child, url, String(share), String(rate), String(n)]
    // The end of stdin tells them that this process has ended, however that was.
    children.push(spawn(process.execPath, args, { stdio: ['pipe', 'inherit', 'inherit'] }))
  }
}

interface Sample {
  cpuShare: number
  rssBytes: number
}

/** Once a second, until it is stopped. */
function watch(): { samples: Sample[]; stop: () => void } {
  const samples: Sample[] = []
  let [before, beforeMs] = [process.cpuUsage(), performance.now()]
  const timer = setInterval(() => {
    const now = process.cpuUsage()
    const atMs = performance.now()
    const usedMs = (now.user + now.system - before.user - before.system) / 1e3
    samples.push({
      cpuShare: usedMs / (atMs - beforeMs),
      rssBytes: process.memoryUsage.rss(),
    })
    ;[before, beforeMs] = [now, atMs]
  }, 1_000)
  return { samples, stop: () => clearInterval(timer) }
}

const mean = (all: readonly number[]) => all.reduce((sum, each) => sum + each, 0) / all.length
const percent = (share: number) => `${(share * 100).toFixed(0)} %`
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`

function print(what: string, samples: readonly Sample[]) {
  const cpu = samples.map(({ cpuShare }) => cpuShare)
  const rss = samples.map(({ rssBytes }) => rssBytes)
  console.log(
    `${what}: ${samples.length} s, processor ${percent(mean(cpu))} on average, ` +
      `${percent(Math.max(...cpu))} at most; memory ${megabytes(Math.max(...rss))} at most`,
  )
}

const before = watch()
const run = bench('tcp://127.0.0.1:7', {
  connections: agents * 10,
  ratePerSecond: agents * rate,
  durationMs: seconds * 1e3,
  warmupMs: 0,
  agents,
  brokerListen: 'mqtt://127.0.0.1:0',
  agentTimeoutMs: 300_000,
  onEvent: line => {
    const url = /yodel agent (mqtt:\S+)/.exec(line)?.[1]
    if (url !== undefined) join(url)
  },
})
await run.ready
before.stop()
print('until all were there, and had one clock', before.samples)
const during = watch()
let told = 0
await new Promise<void>(resolve => {
  run.onInterval(() => {
    told++
    if (told >= seconds - 1) resolve()
  })
})
during.stop()
print('while they sent', during.samples)
const after = watch()
const beganMs = performance.now()
const result = await run.finished
after.stop()
const tookMs = performance.now() - beganMs
print(`from their parts to the result (${(tookMs / 1e3).toFixed(1)} s)`, [
  ...after.samples,
  { cpuShare: 0, rssBytes: process.memoryUsage.rss() },
])
console.log(
  `${agents} agents, ${result.messages.received.toLocaleString('en-US')} messages, ` +
    `${result.intervals.length} intervals, ${result.run.parts!.length} rows`,
)
for (const reason of result.invalidBecause.slice(0, 3)) console.log(reason)
await Promise.all(children.map(async each => each.exitCode ?? (await once(each, 'exit'))))
