/**
 * What a message costs its sender: the generators of yodel against the closed-loop generators in
 * C (controls/c/load.c, udp-load.c), which compare every byte, too; over WebSocket against one
 * another. In rounds, against the same server.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { builtFolder, contestants, pinned, prepare, startContestant } from './contestants.ts'
import { median } from './figures.ts'
import { buildLoad } from './loads.ts'

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    ms: { type: 'string', default: '1500' },
    only: { type: 'string', default: '' },
    /** Undefined: `c epoll`, or for udp `c udp`, and for ws `yodel uring`. */
    server: { type: 'string' },
  },
})
const rounds = Number(flags.rounds)
const durationMs = Number(flags.ms)
const warmupMs = Math.ceil(durationMs / 4)

interface Found {
  echoes: number
  bytes: number
  seconds: number
  load_cpu_s: number
  wrong: number
  /** Of yodel: how busy its thread was, and whether the result says that it was the limit. */
  busy?: number
  said?: boolean
}

interface Setting {
  name: string
  connections: number
  sizeBytes: number
  depth: number
  transport?: 'tcp' | 'udp' | 'tls' | 'ws'
}

const settings: Setting[] = [
  { name: 'small-1', connections: 1, sizeBytes: 64, depth: 1 },
  { name: 'small-50', connections: 50, sizeBytes: 64, depth: 1 },
  { name: 'small-500', connections: 500, sizeBytes: 64, depth: 1 },
  { name: 'depth-16', connections: 50, sizeBytes: 64, depth: 16 },
  { name: 'bulk', connections: 4, sizeBytes: 1_000_000, depth: 1 },
  { name: 'udp-50', connections: 50, sizeBytes: 64, depth: 1, transport: 'udp' as const },
  { name: 'udp-16', connections: 50, sizeBytes: 64, depth: 16, transport: 'udp' as const },
  { name: 'ws-50', connections: 50, sizeBytes: 64, depth: 1, transport: 'ws' as const },
  { name: 'ws-16', connections: 50, sizeBytes: 64, depth: 16, transport: 'ws' as const },
].filter(({ name }) => flags.only === '' || flags.only.split(',').includes(name))

const child = fileURLToPath(new URL('generator-child.js', import.meta.url))
const byYodel =
  (engine: string) =>
  (port: number, { connections, sizeBytes, depth, transport = 'tcp' }: Setting) => {
    const options = { connections, sizeBytes, depth, engine, durationMs, warmupMs }
    const address = `${transport}://127.0.0.1:${port}`
    return [process.execPath, child, address, JSON.stringify(options)]
  }
const byC = (port: number, { connections, sizeBytes, depth, transport }: Setting) => {
  const given = { port, connections, size: sizeBytes, depth }
  const times = { 'duration-ms': durationMs, 'warmup-ms': warmupMs }
  const args = Object.entries({ ...given, ...times }).flatMap(([k, v]) => [`--${k}`, String(v)])
  return [`${builtFolder}${transport === 'udp' ? 'udp-load' : 'load'}`, ...args]
}
type Command = typeof byC
const yodels: Record<string, Command> = {
  'yodel node': byYodel('node'),
  'yodel uring': byYodel('uring'),
}
/** The first is the control. */
const generatorsFor = ({ transport }: Setting): Record<string, Command> =>
  transport === 'ws' ? yodels : { 'c load': byC, ...yodels }

async function run(command: string[]): Promise<Found> {
  const [program, ...args] = pinned(1, command)
  const running = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  running.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(running, 'close')
  const found = JSON.parse(text) as Found
  if (found.wrong > 0 || found.echoes === 0) throw new Error(`it failed: ${text}`)
  return found
}

function serverOf({ transport }: Setting) {
  const usual = { tcp: 'c epoll', udp: 'c udp', tls: 'c tls', ws: 'yodel uring' }
  const wanted = flags.server ?? usual[transport ?? 'tcp']
  const server = contestants.find(({ name }) => name === wanted)
  if (!server) throw new Error(`There is no server '${wanted}'.`)
  const ready = prepare(server)
  if (typeof ready === 'string') throw new Error(ready)
  return server
}

if (!buildLoad().includes('in C')) throw new Error('The control is in C, and there is no compiler.')

for (const setting of settings) {
  const server = serverOf(setting)
  const scheme = setting.transport === undefined ? '' : `${setting.transport}://`
  const generators = generatorsFor(setting)
  const [control] = Object.keys(generators)
  const cpu = new Map(Object.keys(generators).map(name => [name, [] as number[]]))
  const rate = new Map(Object.keys(generators).map(name => [name, [] as number[]]))
  const all = new Map(Object.keys(generators).map(name => [name, [] as Found[]]))
  for (let round = 0; round < rounds; round++) {
    for (const [name, command] of Object.entries(generators)) {
      const running = await startContestant(server, { scheme })
      const found = await run(command(running.port, setting))
      await running.stop()
      cpu.get(name)!.push((found.load_cpu_s * 1e6) / found.echoes)
      rate.get(name)!.push(found.echoes / found.seconds)
      all.get(name)!.push(found)
    }
  }
  const { name, connections, sizeBytes, depth } = setting
  console.log(`\n### ${name}: ${connections} connections, ${sizeBytes} B, ${depth} in flight`)
  console.log(`(server: ${server.name}; ${rounds} rounds of ${durationMs} ms)\n`)
  console.log('| generator | us of CPU per message | ratio | messages/s | ratio | busy | said |')
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |')
  // The ratio within each round: what slows the machine slows all of it.
  const ratio = (of: Map<string, number[]>, who: string) =>
    median(of.get(who)!.map((value, round) => value / of.get(control!)![round]!)).toFixed(2)
  for (const who of Object.keys(generators)) {
    const [us, perSecond] = [median(cpu.get(who)!), median(rate.get(who)!)]
    const figures = [us.toFixed(2), ratio(cpu, who), perSecond.toFixed(0), ratio(rate, who)]
    const own = all.get(who)!.filter(({ said }) => said !== undefined)
    const limits = own.filter(({ said }) => said).length
    const busy = own.length > 0 ? median(own.map(each => each.busy ?? 0)).toFixed(2) : ''
    figures.push(busy, own.length > 0 ? `${limits} of ${rounds}` : '')
    console.log(`| ${[who, ...figures].join(' | ')} |`)
  }
}
