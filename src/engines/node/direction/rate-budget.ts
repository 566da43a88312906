/**
 * The datagrams per second that all sessions of a server may send together. The count is in memory
 * that its threads share.
 */
import { formatRate } from '../../../vocabulary/units.ts'

/** Rates are counted in thousandths of a datagram. */
const parts = 1_000
const partsOf = (rate: number): bigint => BigInt(Math.floor(rate * parts))

export interface GrantedRate {
  /** Frees the rate for other sessions. */
  release(): void
}

export class RateBudget {
  readonly #granted: BigInt64Array

  /** @param granted in memory that threads share */
  constructor(granted: BigInt64Array) {
    this.#granted = granted
  }

  /**
   * Grants a rate, or says why it is refused.
   * @param most the limit for all sessions together
   */
  grant(ratePerSecond: number, most: number): GrantedRate | string {
    if (most === Infinity) return { release() {} }
    const bound = `it sends ${formatRate(most)} at most (--max-rate)`
    if (ratePerSecond > most) return `${bound}, and ${formatRate(ratePerSecond)} was asked for`
    const wanted = partsOf(ratePerSecond)
    const free = partsOf(most) - Atomics.add(this.#granted, 0, wanted)
    let isHeld = true
    const release = () => {
      if (isHeld) Atomics.sub(this.#granted, 0, wanted)
      isHeld = false
    }
    if (wanted <= free) return { release }
    release()
    const left = formatRate(Math.max(0, Number(free) / parts))
    return `${bound}, and ${left} of it is left beside other sessions`
  }
}
