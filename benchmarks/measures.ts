/**
 * What is measured, and on which servers: each measure is one number per round, and says whether
 * less or more is better.
 */
import { startContestant, type Contestant, type Measured, type Running } from './contestants.ts'
import { load, type How, type Load, type LoadOptions } from './loads.ts'
import { memoryOfEach } from './memory.ts'

export interface Measure {
  name: string
  /** The quantity and its unit. */
  unit: string
  transport: Measured
  /** The contestants; the first is the control to which ratios are taken. */
  contestants: RegExp[]
  run(contestant: Contestant, how: Kept): Promise<number>
}

interface Kept extends How {
  /** Servers that go on from round to round, by name; without it each round starts its own. */
  kept?: Map<string, Running>
}

/** Has the server measured: one of its own, or one that is kept. */
async function against<T>(
  contestant: Contestant,
  transport: Measured,
  kept: Kept['kept'],
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
const cpuPerCycle = (load: Load) => load.server_sched_ns / 1e3 / load.cycles

/** Memory per connection while `count` of them are open, after each has sent `bytes`. */
const memory = (count: number, bytes: number, transport: Measured = 'tcp', restMs = 0): Way => ({
  transport,
  run: contestant =>
    against(contestant, transport, undefined, server =>
      memoryOfEach(server, transport, count, bytes, restMs),
    ),
})

const epoll = /^c epoll$/
const all = /^/
const yodels = /^yodel/
/** It serves one client at a time, so it takes part only in measures with one client. */
const spin = /^c spin$/
const allButSpin = /^(?!c spin$)/
const train = { connections: 1, sizeBytes: 1400, depth: 184, segment: true }
const small = (connections: number, depth = 1) => ({ connections, sizeBytes: 64, depth })

const bulk = (sizeBytes: number) => ({ connections: 4, sizeBytes })
/** What a ratio is taken to, above tcp. */
const controls = { tls: /^c tls$/, ws: /^node ws$/, http: /^node http$/ } as const
const aboveTcp = (
  [
    ['tls-50', 'tls', '64 B echo over TLS', small(50), cpuPerEcho],
    ['tls-bulk', 'tls', 'MB over TLS, 256 kB messages', bulk(262_144), cpuPerMegabyte],
    ['ws-50', 'ws', '64 B echo over WebSocket', small(50), cpuPerEcho],
    ['ws-16', 'ws', '64 B echo over WebSocket, 16 in flight', small(50, 16), cpuPerEcho],
    ['ws-64k', 'ws', 'MB over WebSocket, 64 kB messages', bulk(65_536), cpuPerMegabyte],
    ['http-50', 'http', '64 B echo by POST', small(50), cpuPerEcho],
    ['http-16k', 'http', '16 kB echo by POST', { connections: 50, sizeBytes: 16_384 }, cpuPerEcho],
  ] as const
).map(([name, transport, what, options, result]): Measure => {
  const unit = `us of server CPU per ${what}, ${options.connections} connections`
  const control = controls[transport]
  return { name, unit, contestants: [control, all], ...loaded(options, result, transport) }
})

/** All servers get the same offer, so that they do the same work for a handshake. */
const handshakes = (['new', 'resumed'] as const).map((session): Measure => {
  const what = `TLS connection with a ${session} session, one byte echoed, 50 at a time`
  return {
    name: session === 'new' ? 'tls-handshakes' : 'tls-resumed',
    unit: `us of server CPU per ${what}`,
    contestants: [controls.tls, /^(?!.*busy-poll)/],
    ...loaded({ connections: 50, sizeBytes: 1, handshakes: session }, cpuPerCycle, 'tls'),
  }
})

/** The ring gives the buffers of TLS back after two to four seconds of rest. */
const restMs = 5_000
const idle = (['tls', 'ws', 'wss'] as const).map((transport): Measure => ({
  name: `${transport}-idle`,
  unit: `bytes of private memory per connection over ${transport}, 2,000 idle for 5 seconds`,
  contestants: [/^yodel node$/, /^yodel uring$/, /^(?!yodel)/],
  ...memory(2000, 0, transport, restMs),
}))

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
  ...handshakes,
  ...idle,
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
