/**
 * What it costs a server to be watched: echoes per second, and processor time per echo, without a
 * dashboard, with one that no page has open, and with what an open page asks for (events, and the
 * table each second).
 *
 *   npm run bench:watching -- [--engine uring] [--rounds 21] [--seconds 1] [--open 0]
 *
 * Servers are pinned to processor 0 and the load to processor 1, where `taskset` is found. `--open`
 * holds so many connections beside the 50 that are used. The servers take turns, round by round,
 * and another one begins each round. Two have no dashboard. Ratios are to the mean of both in the
 * same round; the ratios of these two show what chance does. At the end it measures what each costs
 * while no echo is asked for.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { get } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { bench } from 'yodel'
import { median, schedNs } from './figures.ts'

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'uring' },
    rounds: { type: 'string', default: '21' },
    seconds: { type: 'string', default: '1' },
    open: { type: 'string', default: '0' },
    hold: { type: 'string' },
  },
})
const [rounds, seconds, open] = [values.rounds, values.seconds, values.open].map(Number) as [
  number,
  number,
  number,
]

interface Watched {
  child: ChildProcess
  port: number
  dashboard: string | undefined
  microseconds: number[]
  rates: number[]
  timer?: NodeJS.Timeout
}

const main = new URL('../../dist/cli/main.js', import.meta.url).pathname

/** In a process of its own, since descriptors are limited for each: connects, says so, stays. */
if (values.hold !== undefined) {
  for (let count = 0; count < open; count++)
    await once(
      connect(Number(values.hold), '127.0.0.1').on('error', () => {}),
      'connect',
    )
  console.log('held')
  await new Promise(() => {})
}

const isPinned = spawnSync('taskset', ['-acp', '1', String(process.pid)]).status === 0
const onProcessor0 = isPinned ? ['taskset', '-c', '0'] : []

async function hold(port: number): Promise<void> {
  const self = new URL(import.meta.url).pathname
  const child = spawn(process.execPath, [self, '--hold', String(port), '--open', values.open], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.once('exit', () => child.kill())
  await once(child.stdout, 'data')
}

async function start(...args: string[]): Promise<Watched> {
  const all = [...onProcessor0, process.execPath, main, 'serve', ':0', '--engine', values.engine]
  const [command, ...rest] = [...all, ...args] as [string, ...string[]]
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  process.once('exit', () => child.kill())
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (said += data))
  const wanted = [/listening on tcp:\S+:(\d+)/, ...(args.length > 0 ? [/dashboard on (\S+)/] : [])]
  while (!wanted.every(pattern => pattern.test(said))) {
    await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data')])
  }
  const port = Number(wanted[0]!.exec(said)![1])
  if (open > 0) await hold(port)
  return { child, port, dashboard: wanted[1]?.exec(said)?.[1], microseconds: [], rates: [] }
}

/** Asks for what the page asks for. */
function look(server: Watched) {
  const ask = (path: string) =>
    get(new URL(path, server.dashboard), answer => answer.on('error', () => {}).resume()).on(
      'error',
      () => {},
    )
  ask('/api/events')
  const table = '/api/connections?sort=openedAt&order=desc&offset=0&limit=40'
  server.timer = setInterval(() => ask(table), 1_000)
}

const usedUs = ({ child: { pid } }: Watched): number => schedNs(pid!) / 1e3

async function round(server: Watched) {
  const before = usedUs(server)
  const load = { connections: 50, durationMs: seconds * 1e3, warmupMs: 0 }
  const { messages, verdict, seconds: took } = await bench(`:${server.port}`, load).finished
  if (verdict !== 'pass') throw new Error('bytes were lost: the figures would mean nothing')
  server.microseconds.push((usedUs(server) - before) / messages.received)
  server.rates.push(messages.received / took)
}

const dashboard = ['--dashboard', '127.0.0.1:0']
const servers = {
  'no dashboard': await start(),
  'a dashboard, no page open': await start(...dashboard),
  'an open page': await start(...dashboard),
  'no dashboard, once more': await start(),
}
look(servers['an open page'])
const all = Object.values(servers)
for (let n = 0; n < rounds; n++) {
  for (let turn = 0; turn < all.length; turn++) await round(all[(n + turn) % all.length]!)
}

/** Then: processor time of all threads while no echo is asked for, in ms per second. */
const restSeconds = 5
const before = all.map(usedUs)
await sleep(restSeconds * 1e3)
const atRest = all.map((server, n) => (usedUs(server) - before[n]!) / 1e3 / restSeconds)

const plain = [servers['no dashboard'], servers['no dashboard, once more']]
const ratios = (server: Watched, of: 'rates' | 'microseconds') =>
  server[of].map((value, n) => (2 * value) / (plain[0]![of][n]! + plain[1]![of][n]!))
console.log(`engine ${values.engine}, 50 connections used, ${open} more open, ${rounds} rounds`)
console.log(`${''.padEnd(26)}  echoes/s   ratio   CPU/echo   ratio   at rest`)
for (const [n, [name, server]] of Object.entries(servers).entries()) {
  const { microseconds, rates, timer } = server
  const columns = [
    Math.round(median(rates)).toString().padStart(8),
    median(ratios(server, 'rates')).toFixed(3),
    `${median(microseconds).toFixed(2)} us`.padStart(8),
    median(ratios(server, 'microseconds')).toFixed(3),
    `${atRest[n]!.toFixed(1)} ms/s`,
  ]
  console.log(`${name.padEnd(26)}  ${columns.join('   ')}`)
  clearInterval(timer)
}
// An open page would keep it here.
process.exit()
