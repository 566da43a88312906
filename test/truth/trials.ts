/** The runs that are held against a witness: a few every day, all of them with `npm run truth`. */
import type { Trial } from './trial.ts'

const open = (ratePerSecond: number) => ({ ratePerSecond })

/** Cheap, and slow enough that a busy machine is a small part of each time. */
export const daily: Trial[] = [
  {
    name: 'open loop, node: two speeds, deferred messages',
    transport: 'tcp',
    engine: 'node',
    known: { kind: 'bimodal', delayMs: 20, slowMs: 60, every: 10 },
    where: 'here',
    load: { ...open(250), connections: 5, depth: 2, warmupMs: 0, durationMs: 800 },
  },
  {
    name: 'closed loop, uring: several in flight, a warm-up',
    transport: 'tcp',
    engine: 'uring',
    known: { kind: 'spread', leastMs: 15, mostMs: 45 },
    where: 'here',
    load: { connections: 20, depth: 2, warmupMs: 150, durationMs: 1_600 },
  },
  {
    name: 'open loop, uring, two threads: one straggler, a warm-up',
    transport: 'tcp',
    engine: 'uring',
    known: { kind: 'straggler', nth: 130, othersMs: 20, delayMs: 1_000 },
    where: 'here',
    load: {
      ...open(250),
      connections: 10,
      threads: 2,
      depth: 64,
      warmupMs: 200,
      durationMs: 800,
    },
  },
  {
    name: 'open loop, node, udp: one of ten is lost',
    transport: 'udp',
    engine: 'node',
    known: { kind: 'lossy', every: 10, delayMs: 25 },
    where: 'here',
    load: {
      ...open(250),
      connections: 2,
      depth: 64,
      warmupMs: 200,
      durationMs: 800,
      timeoutMs: 400,
    },
  },
  {
    name: 'open loop, node: a connection dies',
    transport: 'tcp',
    engine: 'node',
    known: { kind: 'dies', after: 15, delayMs: 30 },
    where: 'here',
    load: {
      ...open(250),
      connections: 5,
      depth: 16,
      warmupMs: 0,
      durationMs: 800,
      timeoutMs: 300,
    },
  },
]

const engines = ['node', 'uring'] as const
/** So that each connection has as many messages. */
const usual = { connections: 8, warmupMs: 400, durationMs: 2_000 }

/** On each engine, against the server in C: it is exact to some microseconds. */
const compiled: Trial[] = engines.flatMap(engine => {
  const trial = (name: string, known: Trial['known'], load: Partial<Trial['load']>): Trial => ({
    name: `C, ${engine}, ${name}`,
    transport: 'tcp',
    engine,
    known,
    where: 'C',
    load: { ...usual, ...load },
  })
  const fixed = { kind: 'fixed', delayMs: 2 } as const
  const mdOne = (share: number) =>
    trial(
      `M/D/1 at ${share}`,
      { kind: 'queue', serviceMs: 0.5 },
      { ...open(2_000 * share), arrivals: 'poisson', connections: 40, depth: 64 },
    )
  return [
    trial('open, fixed', fixed, open(1_000)),
    trial('open, fixed, depth 16', fixed, { ...open(2_000), depth: 16 }),
    trial('open, fixed, two threads', fixed, { ...open(1_000), threads: 2 }),
    trial('open, two speeds', { kind: 'bimodal', delayMs: 2, slowMs: 20, every: 20 }, open(1_000)),
    // The window is no multiple of it: the end of a pause at the end of the window could fall on
    // either side.
    trial(
      'open, paused',
      { kind: 'paused', everyMs: 230, forMs: 60 },
      { ...open(1_000), depth: 4 },
    ),
    trial('closed, from 2 to 6 ms', { kind: 'spread', leastMs: 2, mostMs: 6 }, {}),
    trial('closed, depth 8', { kind: 'spread', leastMs: 2, mostMs: 6 }, { depth: 8 }),
    trial('closed, paused', { kind: 'paused', everyMs: 430, forMs: 100 }, { connections: 2 }),
    ...[0.5, 0.7, 0.9].map(mdOne),
    trial(
      'open, one straggler',
      { kind: 'straggler', nth: 1_200, othersMs: 2, delayMs: 1_000 },
      { ...open(1_000), depth: 128 },
    ),
    trial(
      'open, a connection dies',
      { kind: 'dies', after: 130, delayMs: 2 },
      { ...open(1_000), depth: 4, timeoutMs: 400, warmupMs: 0 },
    ),
  ]
})

/** What each engine speaks besides what it is tried with above. */
const spoken = [
  ...(['tcp', 'tls', 'ws', 'http', 'udp'] as const).map(transport => ['node', transport] as const),
  ...(['tls', 'ws', 'udp'] as const).map(transport => ['uring', transport] as const),
]

/** Each transport, both loops; more than one in flight where it can be. */
const transports: Trial[] = spoken.flatMap(([engine, transport]) => {
  const trial = (name: string, load: Partial<Trial['load']>, known?: Trial['known']): Trial => ({
    name: `${transport}, ${engine}, ${name}`,
    transport,
    engine,
    known: known ?? { kind: 'spread', leastMs: 3, mostMs: 9 },
    where: 'apart',
    load: { ...usual, ...load },
  })
  const depth = transport === 'http' ? 1 : 4
  return [
    trial('open', { ...open(500), depth }),
    trial('closed', { depth }),
    ...(transport === 'udp'
      ? [
          trial(
            'one of 25 is lost',
            { ...open(500), depth: 64, timeoutMs: 300 },
            { kind: 'lossy', every: 25, delayMs: 4 },
          ),
        ]
      : []),
  ]
})

export const all: Trial[] = [...compiled, ...transports]
