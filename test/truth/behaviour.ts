/** When a known server sends a reply. */

export type Known =
  /** Each after the same time; 0 is at once. */
  | { kind: 'fixed'; delayMs: number }
  /** From `leastMs` to `mostMs`, all as likely: so that replies do not come in step. */
  | { kind: 'spread'; leastMs: number; mostMs: number }
  /** One message of this many is slow. */
  | { kind: 'bimodal'; delayMs: number; slowMs: number; every: number }
  /** It stands still at the beginning of each period. */
  | { kind: 'paused'; everyMs: number; forMs: number }
  /** One after the other, each for the same time: M/D/1 where they come at random. */
  | { kind: 'queue'; serviceMs: number }
  /** All at once, but for one. */
  | { kind: 'straggler'; nth: number; delayMs: number; othersMs: number }
  /** The n-th, 2n-th and so on are never answered. */
  | { kind: 'lossy'; every: number; delayMs: number }
  /** Its first connection, or all together, are answered so often, and then no more. */
  | { kind: 'dies'; after: number; delayMs: number; all?: boolean; how?: Death }

/** It says nothing, says FIN, or resets. */
export type Death = 'silent' | 'fin' | 'reset'

/** Where a reply has to be exact, the server stays awake for this long before it is due. */
const awakeMs = 2

export class Behaviour {
  readonly #known: Known
  /** What waits, the next one first. */
  readonly #waiting: { dueMs: number; go: () => void }[] = []
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined
  #count = 0
  #freeMs = 0
  #answered = 0
  #first: number | undefined

  constructor(known: Known) {
    this.#known = known
  }

  /** Null if it is never answered. */
  dueMs(nowMs: number, connection: number): number | null {
    const known = this.#known
    const n = ++this.#count
    this.#first ??= connection
    switch (known.kind) {
      case 'fixed':
        return nowMs + known.delayMs
      case 'spread':
        // A walk through the interval that never repeats and has no pattern in time.
        return nowMs + known.leastMs + (known.mostMs - known.leastMs) * ((n * 0.6180339887) % 1)
      case 'bimodal':
        return nowMs + (n % known.every === 0 ? known.slowMs : known.delayMs)
      case 'paused': {
        const within = nowMs % known.everyMs
        return within < known.forMs ? nowMs - within + known.forMs : nowMs
      }
      case 'queue':
        this.#freeMs = Math.max(this.#freeMs, nowMs) + known.serviceMs
        return this.#freeMs
      case 'straggler':
        return nowMs + (n === known.nth ? known.delayMs : known.othersMs)
      case 'lossy':
        return n % known.every === 0 ? null : nowMs + known.delayMs
      case 'dies':
        if (connection !== this.#first && !known.all) return nowMs + known.delayMs
        return ++this.#answered > known.after ? null : nowMs + known.delayMs
      default:
        known satisfies never
        throw new Error('dueMs() has no case for it.')
    }
  }

  /** How a connection ends that is answered no more. */
  get death(): Death {
    return (this.#known.kind === 'dies' && this.#known.how) || 'silent'
  }

  schedule(dueMs: number, go: () => void): void {
    const nowMs = performance.now()
    if (dueMs <= nowMs && this.#waiting.length === 0) return go()
    const waiting = this.#waiting
    let at = waiting.length
    while (at > 0 && waiting[at - 1]!.dueMs > dueMs) at--
    waiting.splice(at, 0, { dueMs, go })
    if (at === 0) this.#sleep()
  }

  #sleep(): void {
    this.stop()
    const next = this.#waiting[0]
    if (!next) return
    const restMs = next.dueMs - performance.now()
    const pump = () => {
      const nowMs = performance.now()
      while (this.#waiting.length > 0 && this.#waiting[0]!.dueMs <= nowMs)
        this.#waiting.shift()!.go()
      this.#sleep()
    }
    const isExact = this.#known.kind === 'queue'
    if (isExact && restMs < awakeMs) this.#timer = setImmediate(pump)
    else this.#timer = setTimeout(pump, isExact ? restMs - awakeMs : restMs)
  }

  stop(): void {
    clearTimeout(this.#timer as NodeJS.Timeout)
    clearImmediate(this.#timer as NodeJS.Immediate)
  }
}
