/** How a server is loaded: by the generators in C where they can, or by yodel's own. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { bench, type BenchOptions } from 'yodel'
import { builtFolder, controlsFolder, pinned } from './contestants.ts'
import type { Measured, Running } from './contestants.ts'
import { schedNs } from './figures.ts'

export interface How {
  durationMs: number
  /** Before each interval. A server in JavaScript compiles itself for most of its first second. */
  warmupMs: number
}

/** What a load found out: the line that a generator in C prints. */
export interface Load {
  echoes: number
  /** Connections that were opened, used and closed. */
  cycles: number
  bytes: number
  seconds: number
  wrong: number
  p50_us: number
  server_sched_ns: number
}

export interface LoadOptions {
  connections: number
  sizeBytes: number
  depth?: number
  churn?: boolean
  /** udp: what is due on a socket is sent as one. */
  segment?: boolean
  /** tls: each connection is opened, used once and closed; its session is new, or resumed. */
  handshakes?: 'new' | 'resumed'
}

/** The load generators in C, with the libraries that they need. */
const programs = {
  load: [],
  'udp-load': [],
  handshakes: ['-lssl', '-lcrypto'],
} as const satisfies Record<string, readonly string[]>
type Program = keyof typeof programs
/** Those that could be built: none without a compiler. */
const built = new Set<Program>()

export function buildLoad(): string {
  mkdirSync(builtFolder, { recursive: true })
  for (const [name, libraries] of Object.entries(programs)) {
    const source = `${controlsFolder}c/${name}.c`
    const args = ['-O2', '-o', `${builtFolder}${name}`, source, ...libraries]
    if (spawnSync('cc', args).status === 0) built.add(name as Program)
  }
  return built.has('load')
    ? 'the load generator in C'
    : 'the load generator of yodel itself (no C compiler)'
}

/** The program in C for it; undefined if there is none. */
function programFor(transport: Measured, { handshakes }: LoadOptions): Program | undefined {
  if (handshakes !== undefined) return 'handshakes'
  if (transport === 'tcp') return 'load'
  return transport === 'udp' ? 'udp-load' : undefined
}

/** @throws Error if a byte came back wrong, or none at all */
export async function load(
  server: Running,
  transport: Measured,
  options: LoadOptions,
  how: How,
): Promise<Load> {
  const program = programFor(transport, options)
  const found =
    program !== undefined && built.has(program)
      ? await loadByC(program, server, options, how)
      : await loadByYodel(server, transport, options, how)
  if (found.wrong > 0 || found.echoes + found.cycles === 0)
    throw new Error(`the load failed: ${JSON.stringify(found)}`)
  return found
}

async function loadByC(program: Program, server: Running, options: LoadOptions, how: How) {
  const { connections, sizeBytes, depth = 1, churn = false, segment = false, handshakes } = options
  const common = { port: server.port, pid: server.pid, connections }
  const times = { 'duration-ms': how.durationMs, 'warmup-ms': how.warmupMs }
  const messages = handshakes === undefined ? { size: sizeBytes, depth } : {}
  const flags = Object.entries({ ...common, ...times, ...messages })
  const switches = [
    ...(churn ? ['--churn'] : []),
    ...(segment ? ['--segment'] : []),
    ...(handshakes === 'resumed' ? ['--resume'] : []),
  ]
  const args = [...flags.flatMap(([name, value]) => [`--${name}`, String(value)]), ...switches]
  const [command, ...rest] = pinned(1, [`${builtFolder}${program}`, ...args])
  const child = spawn(command!, rest, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(child, 'close')
  if (text === '') throw new Error('the load generator found nothing')
  return JSON.parse(text) as Load
}

/** The ring costs the least, so that the server is the limit. */
const ownLoads: Partial<Record<Measured, BenchOptions>> = {
  tls: { engine: 'uring', calling: { tls: { insecure: true } } },
  ws: { engine: 'uring' },
}
async function loadByYodel(
  server: Running,
  transport: Measured,
  options: LoadOptions,
  { durationMs, warmupMs }: How,
) {
  const { connections, sizeBytes, depth = 1, churn = false, handshakes } = options
  if (churn || handshakes !== undefined)
    throw new Error('only the load generators in C open and close connections')
  const how = ownLoads[transport]
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
