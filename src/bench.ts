/** bench(address), flood(address): load, verified and measured. They differ in what they send. */
import { toAddress, type Address } from './address.ts'
import { checkLoad, checkSizes } from './bench/check.ts'
import { ofTransport, overheadBytes } from './bench/datagrams.ts'
import { startLoad, type LoadRun } from './bench/run.ts'
import type { WantedEngine } from './engines/index.ts'
import { usageError } from './errors.ts'
import type { Arrivals } from './load/pacer.ts'
import type { SizeRange } from './load/sizes.ts'
import { withDefaults } from './options.ts'
import { isDatagrams, type Calling } from './transport.ts'

export type { LoadRun } from './bench/run.ts'

export interface LoadOptions {
  /** Connections that are kept open and used. */
  connections?: number
  /** Messages in flight on each connection, at most. */
  depth?: number
  /**
   * Open loop: messages per second, over all connections. Without it the next message is sent when
   * an echo has come back (closed loop).
   */
  ratePerSecond?: number
  /** How the messages of an open loop are spread over time. */
  arrivals?: Arrivals
  /** Stop after so many messages, those of the warm-up left out. */
  count?: number
  /** Stop so long after the warm-up. */
  durationMs?: number
  /** How long to wait at the end for what is still under way. */
  drainMs?: number
  /** Connecting, or a message unanswered for so long, is a failure. */
  timeoutMs?: number
  engine?: WantedEngine
  /** Threads that send; they share connections and rate. */
  threads?: number
  /** Decides payload, sizes and random arrivals. */
  seed?: number
  /** What the transport needs to know of us. */
  calling?: Calling
}

export interface FloodOptions extends LoadOptions {
  /** Sent again and again. */
  message?: Uint8Array | string
}

export interface BenchOptions extends LoadOptions {
  /** Bytes in a message, or sizes of which each is as likely as its weight. */
  sizeBytes?: number | SizeRange[]
  /** Left out of the result. */
  warmupMs?: number
  /** Short connections per second beside the steady ones: connect, echo once, hang up. */
  churnPerSecond?: number
  /** Connections that are merely held. */
  idle?: number
  /**
   * Wrong bytes in a stream that stays in step do not end their connection: they are counted, and
   * the verdict is the same.
   */
  countCorruption?: boolean
  /** Objectives such as `p99<5ms`, which decide the verdict too. */
  expect?: string[]
}

const loadDefaults = {
  connections: 1,
  depth: 1,
  arrivals: 'even',
  count: Infinity,
  durationMs: Infinity,
  drainMs: 5_000,
  timeoutMs: 10_000,
  engine: 'auto',
  threads: 1,
  seed: 1,
  calling: {},
} satisfies LoadOptions

/** The one place of these defaults. */
export const floodDefaults = {
  ...loadDefaults,
  drainMs: 1_000,
  message: 'Hello!\n',
} satisfies FloodOptions
export const benchDefaults = {
  ...loadDefaults,
  durationMs: 10_000,
  warmupMs: 1_000,
  sizeBytes: 64,
  churnPerSecond: 0,
  idle: 0,
  countCorruption: false,
  expect: [],
} satisfies BenchOptions

/** How long a bench measures: a count is limit enough. */
export const durationOf = ({ durationMs, count }: BenchOptions): number =>
  durationMs ?? (count === undefined ? benchDefaults.durationMs : Infinity)

/** Sends the same message for ever, or until a limit is reached. */
export function flood(address: string | Address, options: FloodOptions = {}): LoadRun {
  return startLoad('flood', address, options, floodDefaults, () => {
    const whom = toAddress(address)
    const defaults = ofTransport(whom, options, floodDefaults)
    const { message, ...load } = withDefaults(defaults, options)
    const bytes = typeof message === 'string' ? Buffer.from(message) : message
    if (bytes.length === 0) throw usageError('The message is empty: nothing would come back.')
    checkLoad(load)
    const sizeBytes = bytes.length + overheadBytes(whom)
    const sizes = [{ minBytes: sizeBytes, maxBytes: sizeBytes, weight: 1 }]
    checkSizes(sizes, whom)
    return {
      ...load,
      address: whom,
      payload: { kind: 'repeat', message: bytes },
      sizes,
      warmupMs: 0,
      churnPerSecond: 0,
      idle: 0,
      countCorruption: false,
      expect: [],
    }
  })
}

/**
 * Measures rate and round trips of an echo server. It starts at once; await `ready` or `finished`,
 * which reject with a UserError if nobody answers or an option makes no sense.
 */
export function bench(address: string | Address, options: BenchOptions = {}): LoadRun {
  return startLoad('bench', address, options, benchDefaults, () => {
    const whom = toAddress(address)
    const usual = { ...benchDefaults, durationMs: durationOf(options) }
    const defaults = ofTransport(whom, options, usual)
    const { sizeBytes, ...load } = withDefaults(defaults, options)
    const sizes =
      typeof sizeBytes === 'number'
        ? [{ minBytes: sizeBytes, maxBytes: sizeBytes, weight: 1 }]
        : sizeBytes
    checkSizes(sizes, whom)
    checkLoad(load)
    if (load.countCorruption && isDatagrams(whom))
      throw usageError('Corruption is counted in streams; a wrong datagram is just a wrong one.')
    return {
      ...load,
      address: whom,
      payload: { kind: 'seeded', seed: load.seed },
      sizes,
    }
  })
}
