/**
 * Claims by time are made only of what happens each time: a path does the same again, and what a
 * busy machine does now and then it does not.
 */
import { performance } from 'node:perf_hooks'
import { heldUp } from './held-up.ts'

/** How often it is asked; and how often where this process was held up meanwhile. */
export const timesMost = 4
const times = 2
const everyMs = 10
/** A process that is held up so long shares its processor. */
const busyMs = 10

/** Asks until it is good once, or was bad each time. */
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

/** The longest hold-up that is allowed for: longer ones are those of a machine that slept. */
const allowedMs = 400
const factor = 5

/** Looks all the time at how late this process is. */
export class OwnDelay implements Disposable {
  #lastMs = performance.now()
  #mostMs = 0
  readonly #timer = setInterval(() => this.#look(), everyMs).unref()

  #look() {
    const now = performance.now()
    this.#mostMs = Math.max(this.#mostMs, now - this.#lastMs - everyMs)
    this.#lastMs = now
  }

  /** How much longer than usual a reply may take: the peer may be on the same machine. */
  get patienceMs(): number {
    return factor * Math.min(allowedMs, this.#mostMs < busyMs ? 0 : this.#mostMs)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
