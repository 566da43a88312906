/**
 * The faults of one connection, one after the other, and their waits.
 *
 * A transport with messages uses a chain as a transport with bytes does (node/core/faulty-echo.ts).
 * It pushes each message whole, with what is known of it, and sends the chunks that come out.
 * `more` says that another chunk of the same message follows. WebSocket makes a frame of each
 * chunk, with FIN (RFC 6455 section 5.2) unless `more` is set. With udp each chunk is a whole
 * datagram.
 *
 *     const arrivals = new Arrivals(socket)            // paused at 1 MiB
 *     const chain = new Chain(faults, { carries: 'messages', ... , onHit: recordHits(meter) })
 *     socket.on('message', (data, binary) => arrivals.push(data, { binary }))
 *     for await (const { data, message, more } of chain.apply(arrivals.read()))
 *       await send(data, message.binary, !more)
 *
 * The loop ends after `arrivals.end()`, `interrupt()`, or when a fault says so (FIN); it throws
 * Reset (RST is due) and ConnectionEnded. Faults change `data` in place. With datagrams each source
 * has a chain, which is forgotten with the source; the caller has to limit the number of chains.
 */
import { mix } from '../vocabulary/random.ts'
import { timerMaxMs } from '../vocabulary/units.ts'
import type { Carries } from '../vocabulary/transport.ts'
import { ConnectionEnded, type Chunk, type Hit } from './fault.ts'
import { createFault, type FaultSpec } from './index.ts'

export interface ChainOptions {
  seed: number
  /** The number of the connection, in the order in which the server accepted them. */
  connection: number
  openedAt: number
  /** Whether bytes, messages or datagrams come through. */
  carries: Carries
  /** Called for each hit. */
  onHit: (event: FaultEvent) => void
  /** Called when RST is due, whatever the chain waits for. */
  onReset: () => void
}

/**
 * A hit: which fault, and on which connection. Plain data; the same for the same seed, connections
 * and input.
 */
export interface FaultEvent extends Hit {
  connection: number
  /** Which fault, and its place in the list. */
  kind: FaultSpec['kind']
  place: number
}

interface Wait {
  at: number
  timer: NodeJS.Timeout | undefined
  resolve: () => void
  reject: (error: ConnectionEnded) => void
}

export class Chain {
  readonly #waits = new Set<Wait>()
  /** The chain has ended: every wait ends at once, and a pending reset is cancelled. */
  #released = false
  #leaving = false
  #gone = false
  readonly #apply: (chunks: AsyncIterable<Chunk>) => AsyncIterable<Chunk>

  constructor(faults: readonly FaultSpec[], options: ChainOptions) {
    const { seed, connection, openedAt, carries, onHit, onReset } = options
    const chain = faults.flatMap((spec, place) => {
      const random = createRandom(seed, connection, place)
      if (random() * 100 >= (spec.percent ?? 100)) return []
      const hit = (hit: Hit) => onHit({ connection, kind: spec.kind, place, ...hit })
      const reset = (details: Hit) => {
        if (this.#released) return
        hit(details)
        onReset()
      }
      const sleepUntil = (at: number) => this.#sleepUntil(at)
      return createFault(spec, { openedAt, carries, sleepUntil, random, reset, hit })
    })
    this.#apply = chunks => chain.reduce((stream, fault) => fault(stream), chunks)
  }

  apply(chunks: AsyncIterable<Chunk>): AsyncIterable<Chunk> {
    return this.#apply(chunks)
  }

  /** Whether the connection hangs, until the faults are changed or the server stops. */
  get hangs(): boolean {
    return [...this.#waits].some(({ at }) => at === Infinity)
  }

  /** Sends delayed chunks now, because other faults replace these. */
  release(): void {
    this.#released = true
    for (const wait of this.#waits) this.#settle(wait)
  }

  /**
   * The server is stopping: delayed chunks leave when they are due, but no connection hangs for
   * ever.
   */
  leave(): void {
    this.#leaving = true
    for (const wait of this.#waits) if (wait.at === Infinity) this.#settle(wait)
  }

  /** The connection has ended: every wait ends. */
  cancel(): void {
    this.#gone = true
    for (const wait of this.#waits) this.#settle(wait)
  }

  #sleepUntil(at: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const wait: Wait = { at, timer: undefined, resolve, reject }
      this.#waits.add(wait)
      this.#check(wait)
    })
  }

  /** Timers may fire a little early, and have a longest time. */
  #check(wait: Wait) {
    const leftMs = wait.at - performance.now()
    const over = this.#gone || this.#released || (this.#leaving && wait.at === Infinity)
    if (over || leftMs <= 0) this.#settle(wait)
    else if (leftMs !== Infinity)
      wait.timer = setTimeout(() => this.#check(wait), Math.min(Math.ceil(leftMs), timerMaxMs))
  }

  #settle(wait: Wait) {
    clearTimeout(wait.timer)
    this.#waits.delete(wait)
    const unheard = this.#gone || (wait.at === Infinity && !this.#released)
    if (unheard) wait.reject(new ConnectionEnded())
    else wait.resolve()
  }
}

/** Numbers from 0 to below 1, which differ by seed, connection and place of the fault. */
export function createRandom(seed: number, connection: number, place: number): () => number {
  let state = mix(mix(mix(seed + 1) + connection + 1) + place + 1)
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    return mix(state) / 2 ** 32
  }
}
