/**
 * What it costs a server to be watched: processor time per echo without a dashboard, with one that
 * nobody looks at, and with what an open page asks for (events, and the table each second).
 *
 *   npm run bench:watching -- [--engine uring] [--rounds 7] [--seconds 2] [--open 0]
 *
 * `--open` holds so many connections beside the 50 that are used. The servers take turns, round by
 * round; ratios are to the first of the same round.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import { bench } from 'yodel'

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'uring' },
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '2' },
    open: { type: 'string', default: '0' },
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
  held: Socket[]
  microseconds: number[]
  timer?: NodeJS.Timeout
}

const main = new URL('../../dist/cli/main.js', import.meta.url).pathname

async function start(...args: string[]): Promise<Watched> {
  const all = [main, 'serve', ':0', '--engine', values.engine, ...args]
  const child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (said += data))
  const wanted = [/listening on tcp:\S+:(\d+)/, ...(args.length > 0 ? [/dashboard on (\S+)/] : [])]
  while (!wanted.every(pattern => pattern.test(said))) {
    await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data')])
  }
  const port = Number(wanted[0]!.exec(said)![1])
  const held = []
  while (held.length < open) {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    held.push(socket)
  }
  return { child, port, dashboard: wanted[1]?.exec(said)?.[1], held, microseconds: [] }
}

/** As the page does. */
function look(server: Watched) {
  const ask = (path: string) =>
    get(new URL(path, server.dashboard), answer => answer.resume()).on('error', () => {})
  ask('/api/events')
  const table = '/api/connections?sort=openedAt&order=desc&offset=0&limit=40'
  server.timer = setInterval(() => ask(table), 1_000)
}

/** Of all threads, in microseconds (proc_pid_schedstat, docs of the kernel's scheduler). */
const usedUs = ({ child: { pid } }: Watched): number =>
  readdirSync(`/proc/${pid}/task`)
    .map(task => readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
    .reduce((sum, ns) => sum + Number(ns) / 1e3, 0)

async function round(server: Watched) {
  const before = usedUs(server)
  const load = { connections: 50, durationMs: seconds * 1e3, warmupMs: 0 }
  const { messages, verdict } = await bench(`:${server.port}`, load).finished
  if (verdict !== 'pass') throw new Error('bytes were lost: the figures would mean nothing')
  server.microseconds.push((usedUs(server) - before) / messages.received)
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!

const dashboard = ['--dashboard', '127.0.0.1:0']
const servers = {
  'no dashboard': await start(),
  'a dashboard, nobody looks': await start(...dashboard),
  'an open page': await start(...dashboard),
}
look(servers['an open page'])
for (let n = 0; n < rounds; n++) for (const server of Object.values(servers)) await round(server)

const plain = servers['no dashboard'].microseconds
console.log(`engine ${values.engine}, 50 connections used, ${open} more open, ${rounds} rounds`)
for (const [name, { microseconds, child, held, timer }] of Object.entries(servers)) {
  const ratio = median(microseconds.map((us, n) => us / plain[n]!))
  const all = microseconds.map(us => us.toFixed(2)).join(' ')
  console.log(
    `${name.padEnd(26)} ${median(microseconds).toFixed(2)} us  ${ratio.toFixed(3)}  ${all}`,
  )
  clearInterval(timer)
  for (const socket of held) socket.destroy()
  child.kill()
}
