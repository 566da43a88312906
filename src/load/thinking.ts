/** How long a connection of a closed loop waits between an echo and its next message. */
import { mix } from '../vocabulary/random.ts'
import { usageError } from '../vocabulary/errors.ts'
import { parseDuration } from '../vocabulary/units.ts'
import { DueHeap } from './due-heap.ts'

export interface ThinkTime {
  ms: number
  /** The time is longer or shorter by up to this, uniformly. */
  jitterMs: number
}

/** `50ms`, or `50ms~20ms` for 30 to 70 ms. @throws UserError if it is neither */
export function parseThinkTime(text: string): ThinkTime {
  const [mean, jitter, ...more] = text.split('~')
  const think = { ms: parseDuration(mean!), jitterMs: jitter ? parseDuration(jitter) : 0 }
  if (more.length > 0 || jitter === '' || !(think.ms < Infinity) || think.jitterMs > think.ms)
    throw usageError(`'${text}' is not a think time.`, 'Write for example 50ms, or 50ms~20ms.')
  return think
}

/** The wait before message n of a connection: a function of n, the connection and the seed. */
export function thinkNs(think: ThinkTime, seed: number, connection: number, n: number): number {
  const uniform = mix(mix(mix(seed ^ 0x7417) ^ connection) ^ n) / 2 ** 32
  return (think.ms + think.jitterMs * (2 * uniform - 1)) * 1e6
}

/** A connection, as far as it matters here. */
interface Thinker {
  readonly index: number
  readonly connection: number
}

/**
 * Which connections wait until when. A connection asks when its echo has come, and again when its
 * time is up.
 */
export class Thinking<S extends Thinker> {
  /** Called when a message is due sooner than those that wait already. */
  onSooner: () => void = () => {}
  readonly #think: ThinkTime
  readonly #seed: number
  /** For which message each connection asked last, and when that message may go. */
  readonly #asked: Float64Array
  readonly #dueNs: Float64Array
  readonly #waiting: DueHeap
  /** The connections, by their number in this thread. */
  readonly #streams: S[] = []

  constructor(think: ThinkTime, seed: number, connections: number) {
    this.#think = think
    this.#seed = seed
    this.#asked = new Float64Array(connections)
    this.#dueNs = new Float64Array(connections)
    this.#waiting = new DueHeap(this.#dueNs)
  }

  get nextNs(): number {
    return this.#waiting.firstNs
  }

  /**
   * Whether message n may go now. If not, the connection waits from now on. The first message never
   * waits.
   */
  mayGo(stream: S, n: number, now: number): boolean {
    const { index, connection } = stream
    if (this.#asked[index] === n) return now >= this.#dueNs[index]!
    const nextNs = this.nextNs
    this.#asked[index] = n
    this.#dueNs[index] = now + thinkNs(this.#think, this.#seed, connection, n)
    if (this.#dueNs[index] <= now) return true
    this.#streams[index] = stream
    this.#waiting.add(index)
    if (this.#dueNs[index] < nextNs) this.onSooner()
    return false
  }

  /** Takes the connections whose wait is over. */
  *takeAll(now: number): Generator<S> {
    while (this.nextNs <= now) {
      const first = this.#waiting.first!
      this.#waiting.removeFirst()
      yield this.#streams[first]!
    }
  }
}
