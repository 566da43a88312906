/** The faults of one connection, one after the other, and everything that they wait for. */
import { mix } from '../load/random.ts'
import { timerMaxMs } from '../options.ts'
import { Gone, type Chunk } from './fault.ts'
import { createFault, type FaultSpec } from './index.ts'

export interface ChainOptions {
  seed: number
  /** Which connection of the server it is, in the order in which they were accepted. */
  connection: number
  openedAt: number
  /** Something was done to the client. */
  onHit: () => void
  /** RST is due, whatever the chain waits for. */
  onReset: () => void
}

interface Wait {
  at: number
  timer: NodeJS.Timeout | undefined
  resolve: () => void
  reject: (error: Gone) => void
}

export class Chain {
  readonly #waits = new Set<Wait>()
  /** Over: every wait ends at once, and a reset that was still to come does not. */
  #released = false
  #leaving = false
  #gone = false
  readonly #apply: (chunks: AsyncIterable<Chunk>) => AsyncIterable<Chunk>

  constructor(faults: readonly FaultSpec[], options: ChainOptions) {
    const { seed, connection, openedAt, onHit, onReset } = options
    const chain = faults.flatMap((spec, place) => {
      const random = createRandom(seed, connection, place)
      if (random() * 100 >= (spec.percent ?? 100)) return []
      const reset = () => {
        if (this.#released) return
        onHit()
        onReset()
      }
      const sleepUntil = (at: number) => this.#sleepUntil(at)
      return createFault(spec, { openedAt, sleepUntil, random, reset, hit: onHit })
    })
    this.#apply = chunks => chain.reduce((stream, fault) => fault(stream), chunks)
  }

  apply(chunks: AsyncIterable<Chunk>): AsyncIterable<Chunk> {
    return this.#apply(chunks)
  }

  /** Other faults are to follow: what is held goes out now. */
  release(): void {
    this.#released = true
    for (const wait of this.#waits) this.#settle(wait)
  }

  /** The server leaves: what is held goes out in its time, but nobody hangs for ever. */
  leave(): void {
    this.#leaving = true
    for (const wait of this.#waits) if (wait.at === Infinity) this.#settle(wait)
  }

  /** The connection is gone, and so is whatever it waited for. */
  cancel(): void {
    this.#gone = true
    for (const wait of this.#waits) this.#settle(wait)
  }

  #sleepUntil(at: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const wait: Wait = { at, timer: undefined, resolve, reject }
      this.#waits.add(wait)
      this.#look(wait)
    })
  }

  /** Timers may fire a little early, and reach only so far. */
  #look(wait: Wait) {
    const leftMs = wait.at - performance.now()
    const over = this.#gone || this.#released || (this.#leaving && wait.at === Infinity)
    if (over || leftMs <= 0) this.#settle(wait)
    else if (leftMs !== Infinity)
      wait.timer = setTimeout(() => this.#look(wait), Math.min(Math.ceil(leftMs), timerMaxMs))
  }

  #settle(wait: Wait) {
    clearTimeout(wait.timer)
    this.#waits.delete(wait)
    const unheard = this.#gone || (wait.at === Infinity && !this.#released)
    if (unheard) wait.reject(new Gone())
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
