/**
 * What is measured, and on which servers: each measure is one number per round, and says whether
 * less or more is better.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { bench } from 'yodel'
import { builtFolder, controlsFolder, pinned, startContestant } from './contestants.ts'
import type { Contestant, Measured, Running } from './contestants.ts'
import { schedNs } from './figures.ts'

export interface Measure {
  name: string
  /** The quantity and its unit. */
  unit: string
  transport: Measured
  /** The contestants; the first is the control to which ratios are taken. */
  contestants: RegExp[]
  run(contestant: Contestant, how: How): Promise<number>
}

export interface How {
  durationMs: number
  /** Before each interval. A server in JavaScript compiles itself for most of its first second. */
  warmupMs: number
  /** Servers that go on from round to round, by name; without it each round starts its own. */
  kept?: Map<string, Running>
}

/** One line of what a load found out. */
interface Load {
  echoes: number
  cycles: number
  bytes: number
  seconds: number
  wrong: number
  p50_us: number
  server_sched_ns: number
}

interface LoadOptions {
  connections: number
  sizeBytes: number
  depth?: number
  churn?: boolean
  /** udp: what is due on a socket is sent as one. */
  segment?: boolean
}

/**
 * Memory that a process has written and shares with no other one, in bytes (proc_pid_smaps(5)).
 * Pages of files come and go by a megabyte, whatever the process does.
 */
function privateBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(/^Private_Dirty:\s+(\d+) kB/m.exec(rollup)![1]) * 1024
}

/** The load generators in C, built once; none without a compiler. */
const cLoads: Partial<Record<Measured, string>> = {}
const sources = { tcp: 'load', udp: 'udp-load' } as const
export function buildLoad(): string {
  mkdirSync(builtFolder, { recursive: true })
  for (const transport of ['tcp', 'udp'] as const) {
    const name = sources[transport]
    const path = `${builtFolder}${name}`
    const { status } = spawnSync('cc', ['-O2', '-o', path, `${controlsFolder}c/${name}.c`])
    if (status === 0) cLoads[transport] = path
  }
  return cLoads.tcp
    ? 'the load generator in C'
    : 'the load generator of yodel itself (no C compiler)'
}

async function load(
  server: Running,
  transport: Measured,
  options: LoadOptions,
  how: How,
): Promise<Load> {
  const path = cLoads[transport]
  const found = path
    ? await loadByC(path, server, options, how)
    : await loadByYodel(server, transport, options, how)
  if (found.wrong > 0 || found.echoes + found.cycles === 0)
    throw new Error(`the load failed: ${JSON.stringify(found)}`)
  return found
}

async function loadByC(path: string, server: Running, options: LoadOptions, how: How) {
  const { connections, sizeBytes, depth = 1, churn = false, segment = false } = options
  const flags = { port: server.port, pid: server.pid, connections, size: sizeBytes, depth }
  const times = { 'duration-ms': how.durationMs, 'warmup-ms': how.warmupMs }
  const args = Object.entries({ ...flags, ...times }).flatMap(([k, v]) => [`--${k}`, String(v)])
  const switches = [...(churn ? ['--churn'] : []), ...(segment ? ['--segment'] : [])]
  const [command, ...rest] = pinned(1, [path, ...args, ...switches])
  const child = spawn(command!, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(child, 'close')
  return JSON.parse(text) as Load
}

const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
const secure = { engine: 'uring', calling: { tls: { insecure: true } } } as const
async function loadByYodel(
  server: Running,
  transport: Measured,
  options: LoadOptions,
  { durationMs, warmupMs }: How,
) {
  const { connections, sizeBytes, depth = 1, churn = false } = options
  if (churn) throw new Error('only the load generator in C can open and close connections')
  const how = transport === 'tls' ? secure : {}
  const load = { connections, sizeBytes, depth, durationMs: Infinity, warmupMs: 0, ...how }
  const run = bench({ transport, host: '127.0.0.1', port: server.port }, load)
  await run.ready
  // What the server used, and what came back, at the same instants: this process may be late.
  const look = () => ({ server: schedNs(server.pid), ...run.snapshot() })
  await sleep(warmupMs)
  const before = look()
  await sleep(durationMs)
  const after = look()
  run.stop()
  const { verdict, responseUs } = await run.finished
  return {
    echoes: after.messagesReceived - before.messagesReceived,
    cycles: 0,
    bytes: after.bytesIn - before.bytesIn,
    seconds: (after.atMs - before.atMs) / 1e3,
    wrong: verdict === 'pass' ? 0 : 1,
    p50_us: responseUs.p50 ?? Number.NaN,
    server_sched_ns: after.server - before.server,
  }
}

/** Has the server measured: one of its own, or one that is kept. */
async function against<T>(
  contestant: Contestant,
  transport: Measured,
  kept: How['kept'],
  use: (server: Running) => Promise<T>,
) {
  const scheme = transport === 'tcp' ? '' : `${transport}://`
  const server = kept?.get(contestant.name) ?? (await startContestant(contestant, { scheme }))
  kept?.set(contestant.name, server)
  try {
    return await use(server)
  } finally {
    if (!kept) await server.stop()
  }
}

type Way = Pick<Measure, 'run' | 'transport'>
const loaded = (
  options: LoadOptions,
  result: (load: Load) => number,
  transport: Measured = 'tcp',
): Way => ({
  transport,
  run: (contestant, how) =>
    against(contestant, transport, how.kept, async server =>
      result(await load(server, transport, options, how)),
    ),
})

const cpuPerEcho = (load: Load) => load.server_sched_ns / 1e3 / load.echoes
const cpuPerMegabyte = (load: Load) => load.server_sched_ns / 1e3 / (load.bytes / 1e6)

/** Memory per connection while `count` of them are open, after each has sent `bytes`. */
const memory = (count: number, bytes: number): Way => ({
  transport: 'tcp',
  run: contestant =>
    against(contestant, 'tcp', undefined, async server => {
      // A first batch, closed again, so that what is allocated once is not counted.
      await openAndUse(server.port, 100, 64, true)
      const before = privateBytes(server.pid)
      const sockets = await openAndUse(server.port, count, bytes, false)
      const grown = privateBytes(server.pid) - before
      for (const socket of sockets) socket.destroy()
      return grown / count
    }),
})

async function openAndUse(port: number, count: number, bytes: number, close: boolean) {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(200, count - sockets.length) }, async () => {
      const socket = connect({ port, host: '127.0.0.1' })
      await once(socket, 'connect')
      if (bytes > 0) socket.write(Buffer.alloc(bytes))
      for (let back = 0; back < bytes;) back += ((await once(socket, 'data'))[0] as Buffer).length
      return socket
    })
    sockets.push(...(await Promise.all(batch)))
  }
  if (close) await Promise.all(sockets.map(socket => once(socket.end().resume(), 'close')))
  // The last ones are connected, but perhaps not accepted yet; and a process
  // gives freed memory back to the system only after a while of rest.
  await sleep(1_300)
  return sockets
}

const epoll = /^c epoll$/
const all = /^/
const yodels = /^yodel/
/** It serves one client at a time, so it takes part only in measures with one client. */
const spin = /^c spin$/
const allButSpin = /^(?!c spin$)/
const train = { connections: 1, sizeBytes: 1400, depth: 184, segment: true }
const small = (connections: number, depth = 1) => ({ connections, sizeBytes: 64, depth })

const bulk = (sizeBytes: number) => ({ connections: 4, sizeBytes })
const aboveTcp = (
  [
    ['tls-50', 'tls', '64 B echo over TLS', small(50), cpuPerEcho],
    ['tls-bulk', 'tls', 'MB over TLS, 256 kB messages', bulk(262_144), cpuPerMegabyte],
    ['ws-50', 'ws', '64 B echo over WebSocket', small(50), cpuPerEcho],
    ['ws-16', 'ws', '64 B echo over WebSocket, 16 in flight', small(50, 16), cpuPerEcho],
    ['ws-64k', 'ws', 'MB over WebSocket, 64 kB messages', bulk(65_536), cpuPerMegabyte],
  ] as const
).map(([name, transport, what, options, result]): Measure => {
  const unit = `us of server CPU per ${what}, ${options.connections} connections`
  const control = transport === 'tls' ? /^c tls$/ : /^node ws$/
  return { name, unit, contestants: [control, all], ...loaded(options, result, transport) }
})

export const measures: Measure[] = [
  {
    name: 'small-50',
    unit: 'us of server CPU per 64 B echo, 50 connections',
    contestants: [epoll, allButSpin],
    ...loaded(small(50), cpuPerEcho),
  },
  {
    name: 'small-500',
    unit: 'us of server CPU per 64 B echo, 500 connections',
    contestants: [epoll, allButSpin],
    ...loaded(small(500), cpuPerEcho),
  },
  {
    name: 'depth-16',
    unit: 'us of server CPU per 64 B echo, 50 connections, 16 in flight on each',
    contestants: [epoll, allButSpin],
    ...loaded(small(50, 16), cpuPerEcho),
  },
  {
    name: 'bulk',
    unit: 'us of server CPU per MB, 1 MB messages, 4 connections',
    contestants: [epoll, allButSpin],
    ...loaded({ connections: 4, sizeBytes: 1e6 }, cpuPerMegabyte),
  },
  {
    name: 'single',
    unit: 'us median round trip, 64 B, 1 connection',
    contestants: [epoll, spin, allButSpin],
    ...loaded(small(1), ({ p50_us }) => p50_us),
  },
  {
    name: 'churn',
    unit: 'us per connect, echo, close (50 at a time)',
    contestants: [epoll, allButSpin],
    ...loaded({ ...small(50), churn: true }, ({ cycles, seconds }) => (seconds * 1e6) / cycles),
  },
  {
    name: 'udp-50',
    unit: 'us of server CPU per 64 B datagram, 50 peers',
    contestants: [/^c udp$/, all],
    ...loaded(small(50), cpuPerEcho, 'udp'),
  },
  {
    name: 'udp-16',
    unit: 'us of server CPU per 64 B datagram, 50 peers, 16 in flight on each',
    contestants: [/^c udp$/, all],
    ...loaded(small(50, 16), cpuPerEcho, 'udp'),
  },
  {
    name: 'udp-flood',
    unit: 'us of server CPU per MB, 1,400 B datagrams of one peer that sends 46 as one',
    contestants: [/^c udp$/, all],
    ...loaded(train, cpuPerMegabyte, 'udp'),
  },
  ...aboveTcp,
  {
    name: 'idle-memory',
    unit: 'bytes of private memory per idle connection, 8,000 of them',
    contestants: [/^node data-write$/, epoll, yodels],
    ...memory(8000, 0),
  },
  {
    name: 'used-memory',
    unit: 'bytes of private memory per connection after one echo, 8,000 of them',
    contestants: [/^node data-write$/, epoll, yodels],
    ...memory(8000, 64),
  },
]
