/**
 * The life of a load on a simulated clock: no sockets, no timers, and a server that is a function.
 */
import { counter, Meter, type CounterName } from '../metrics/meter.ts'
import { defaultsOf } from '../options/form.ts'
import type { DatagramStream } from './datagram-stream.ts'
import { DatagramTraffic } from './datagram-traffic.ts'
import { Life, type LifeTraffic } from './life.ts'
import { benchOptions } from './options.ts'
import type { Mover, ShortConnections } from './mover.ts'
import { copyOf } from './payload.ts'
import type { ThreadLoad } from './thread-load.ts'
import type { Stream } from './stream.ts'
import { beatMs } from './stalls.ts'
import type { Planned } from './timetable.ts'
import { Traffic } from './traffic.ts'

export const ms = 1e6
export const tickMs = 100

const plan: ThreadLoad = {
  ...defaultsOf(benchOptions),
  payload: { kind: 'repeat', message: Buffer.alloc(64, 'echo') },
  sizes: [{ minBytes: 64, maxBytes: 64, weight: 1 }],
  firstConnection: 0,
  connectionStep: 1,
  pace: undefined,
  countedNs: undefined,
  churn: undefined,
  warmupMs: 0,
  durationMs: Infinity,
  timeoutMs: 60_000,
}

export const paced = (ratePerSecond: number, connections = 1) => ({
  connections,
  pace: { ratePerSecond, connections, seed: 1 },
})

/** After how many milliseconds the server echoes the n-th message it gets; undefined: never. */
export type Server = (n: number) => number | undefined

export const afterMs =
  (delayMs: number): Server =>
  () =>
    delayMs

/** What an engine does with messages: lets the stream issue them, and gives it their echoes. */
interface Wire<S> {
  /** The next message of the stream; undefined if none may go out. */
  take(stream: S, now: number): Buffer | undefined
  arrived(stream: S, data: Buffer, now: number): void
  /** Whether its connection closes now. */
  closes(stream: S): boolean
  ended(stream: S): void
}

interface Streaming extends Planned {
  failed: boolean
}

export class MadeMover<S extends Streaming> implements Mover<S> {
  /** What was done, and when, in milliseconds. */
  readonly log: string[] = []
  /** How often halt() is still to say that it has not ended; undefined: there is no halt(). */
  halts: number | undefined
  now = 0
  /** What the server is about to echo. */
  readonly coming: { atNs: number; stream: S; data: Buffer }[] = []
  readonly #flow: LifeTraffic<S>
  readonly #wire: Wire<S>
  readonly #server: Server
  readonly #open: Set<S>
  #sent = 0

  constructor(flow: LifeTraffic<S>, wire: Wire<S>, server: Server) {
    this.#flow = flow
    this.#wire = wire
    this.#server = server
    this.#open = new Set(flow.streams)
  }

  get open(): number {
    return this.#open.size
  }

  begin(): void {
    for (const stream of this.#flow.streams) this.send(stream)
  }

  send(stream: S): void {
    if (!this.#open.has(stream)) return
    const wire = this.#wire
    for (let data; (data = wire.take(stream, this.now));) {
      this.#say('sent')
      const delayMs = this.#server(this.#sent++)
      if (delayMs === undefined) continue
      this.coming.push({ atNs: this.now + delayMs * ms, stream, data: Buffer.from(data) })
    }
    if (wire.closes(stream)) this.close(stream)
  }

  arrive(stream: S, data: Buffer): void {
    if (!this.#open.has(stream)) return
    this.#wire.arrived(stream, data, this.now)
    this.send(stream)
  }

  countSent(atNs?: number): void {
    if (atNs !== undefined) this.#say(`counted as of ${atNs / ms}`)
  }

  giveUp(stream: S): void {
    if (!this.#open.has(stream)) return
    this.#say('gave up')
    stream.failed = true
    this.close(stream)
  }

  /** The server did it, or the load. */
  close(stream: S): void {
    if (this.#open.delete(stream)) this.#wire.ended(stream)
  }

  get halt(): (() => boolean) | undefined {
    if (this.halts === undefined) return undefined
    return () => {
      this.#say('halts')
      return this.halts!-- <= 0
    }
  }

  closeAll(): void {
    for (const stream of this.#open) this.close(stream)
  }

  #say(what: string): void {
    this.log.push(`${Math.round(this.now / ms)} ${what}`)
  }

  /** How often a thing was done. */
  times(what: string): number {
    return this.log.filter(line => line.endsWith(` ${what}`)).length
  }
}

interface Made<S extends Streaming> {
  make: (plan: ThreadLoad, meter: Meter) => LifeTraffic<S>
  wire: Wire<S>
}

/** The traffic of the load that was made last. */
let traffic: Traffic

export const streams: Made<Stream> = {
  make: (plan, meter) => (traffic = new Traffic(plan, meter)),
  wire: {
    take(stream, now) {
      const offset = stream.issuedBytes
      const length = stream.issue(now, 1)
      if (length === 0) return undefined
      stream.onSent(stream.issuedBytes, now)
      return copyOf(traffic.payload, stream.connection, offset, length)
    },
    arrived: (stream, data, now) => void stream.arrived(data, 0, data.length, now),
    closes: stream => stream.done,
    ended: stream => stream.ended(),
  },
}

export const datagrams: Made<DatagramStream> = {
  make: (plan, meter) => new DatagramTraffic(plan, meter),
  wire: {
    take(stream, now) {
      const datagram = stream.issue(now)
      if (datagram) stream.onSent()
      return datagram
    },
    arrived: (stream, data, now) => stream.arrived(data, now),
    closes: () => false,
    ended: () => {},
  },
}

/** Something that happens at an instant, in milliseconds. */
export type Happening<S extends Streaming> = [
  atMs: number,
  what: (life: Life<S>, mover: MadeMover<S>) => void,
]

export interface Lived {
  /** When it ended, in milliseconds. */
  endedMs: number
  log: readonly string[]
  times: (what: string) => number
  /** When it was measured how busy the thread is. */
  measuredMs: number[]
  counts: (...names: CounterName[]) => number[]
}

interface Script<S extends Streaming> {
  server?: Server
  happens?: Happening<S>[]
  short?: ShortConnections
  prepare?: (mover: MadeMover<S>, flow: LifeTraffic<S>) => void
}

/** Lives a load through, from instant 0 until it ends: the clock goes from event to event. */
export function live<S extends Streaming>(
  { make, wire }: Made<S>,
  wanted: Partial<ThreadLoad>,
  { server = afterMs(1), happens = [], short, prepare }: Script<S> = {},
): Lived {
  const meter = new Meter()
  const flow = make({ ...plan, ...wanted }, meter)
  const mover = new MadeMover(flow, wire, server)
  const measuredMs: number[] = []
  const measure = (now: number) => void measuredMs.push(now / ms)
  const life = new Life(flow, mover, { tickMs, short, measure })
  prepare?.(mover, flow)
  const [early, later] = [happens.filter(([at]) => at < 0), happens.filter(([at]) => at >= 0)]
  for (const [, what] of early) what(life, mover)
  life.start(0, 0)
  for (let events = 0; !life.ended; events++) {
    if (events > 100_000) throw new Error('It does not end.')
    const next = later[0]
    const coming = mover.coming.toSorted((a, b) => a.atNs - b.atNs)[0]
    const eventNs = Math.min(next ? next[0] * ms : Infinity, coming?.atNs ?? Infinity)
    const atNs = Math.min(eventNs, life.dueNs, life.tickNs)
    if (atNs === Infinity) throw new Error('No turn is due any more.')
    // Until then the thread gives signs of life.
    flow.stalls.expect(Math.max(mover.now, atNs - beatMs * ms), atNs)
    mover.now = Math.max(mover.now, atNs)
    const happening = next && next[0] * ms <= mover.now ? later.shift() : undefined
    if (happening) happening[1](life, mover)
    else if (coming && coming.atNs <= mover.now) {
      mover.coming.splice(mover.coming.indexOf(coming), 1)
      mover.arrive(coming.stream, coming.data)
    }
    const isDue = mover.now >= Math.min(life.dueNs, life.tickNs)
    if (happening || isDue || mover.open === 0) life.turn(mover.now)
  }
  return {
    endedMs: mover.now / ms,
    log: mover.log,
    times: what => mover.times(what),
    measuredMs,
    counts: (...names) => names.map(name => meter.counters[counter[name]]!),
  }
}
