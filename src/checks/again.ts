/**
 * A claim about a time is made only if the same happens each time: a bad path does the same again,
 * a busy machine does not.
 */
import { performance } from 'node:perf_hooks'
import { heldUp } from './held-up.ts'

/** How often to ask if this process was held up meanwhile. */
export const timesMost = 4
/** How often to ask if it was not. */
const times = 2
const everyMs = 10
/** A process that is held up so long shares its processor. */
const busyMs = 10

/** Asks until one answer is good, or all answers were bad. */
export async function persistent<T>(
  ask: () => Promise<T>,
  isBad: (answer: T) => boolean,
  most = timesMost,
): Promise<T> {
  let isBusy = false
  for (let time = 1; ; time++) {
    const heldUpMs = heldUp(everyMs)
    const answer = await ask().finally(() => (isBusy ||= heldUpMs() >= busyMs))
    if (!isBad(answer) || time >= (isBusy ? most : times)) return answer
  }
}

/**
 * `allowedMs`: the most that counts of a hold-up. `factor`: replies may be later by this many times
 * the hold-up. `rememberedMs`: how long a hold-up is remembered.
 */
const [allowedMs, factor, rememberedMs] = [250, 4, 4_000]

/** Watches how late this process is. */
export class OwnDelay implements Disposable {
  #lastMs = performance.now()
  /** The longest hold-up of this span of time, and of the one before. */
  #spans: [now: number, before: number] = [0, 0]
  #beganMs = this.#lastMs
  readonly #timer = setInterval(() => this.#look(), everyMs).unref()

  #look() {
    const now = performance.now()
    const [most, before] = this.#spans
    const late = now - this.#lastMs - everyMs
    const isOver = now - this.#beganMs > rememberedMs
    this.#spans = isOver ? [late, most] : [Math.max(most, late), before]
    if (isOver) this.#beganMs = now
    this.#lastMs = now
  }

  /** How much longer than usual a reply may take: the peer may be on the same machine. */
  get patienceMs(): number {
    const mostMs = Math.max(...this.#spans)
    return mostMs < busyMs ? 0 : factor * Math.min(allowedMs, mostMs)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
