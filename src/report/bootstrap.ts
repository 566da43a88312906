/** How sure a change between two series is: the bootstrap, with a seed. */
import { mix } from '../vocabulary/random.ts'

/** With fewer values nothing can be said of their spread. */
export const fewestValues = 5
const resamplesDefault = 2_000
/** The interval leaves out so much at each end: 95 % remain. */
const tail = 0.025

/** A figure of values in ascending order. */
export type Statistic = (ascending: Float64Array) => number

export const mean: Statistic = values =>
  values.reduce((sum, value) => sum + value, 0) / values.length

export const median: Statistic = values => {
  const middle = values.length >> 1
  return values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2
}

export interface BootstrapOptions {
  seed?: number
  resamples?: number
}

/**
 * The 95 % interval of the change of a statistic from one series to another, as a fraction of the
 * first (0.1 is 10 % more). Both series are drawn anew, with replacement, again and again; the
 * interval is between the 2.5th and the 97.5th percentile of the changes. Null where there is none.
 */
export function changeInterval(
  baseline: readonly number[],
  other: readonly number[],
  statistic: Statistic,
  { seed = 1, resamples = resamplesDefault }: BootstrapOptions = {},
): [low: number, high: number] | null {
  if (baseline.length < fewestValues || other.length < fewestValues) return null
  const [first, second] = [new Resampler(baseline), new Resampler(other)]
  let drawn = mix(seed)
  const draw = (below: number) => Math.floor((mix(drawn++) / 2 ** 32) * below)
  const changes = new Float64Array(resamples)
  for (let n = 0; n < resamples; n++) {
    const before = statistic(first.next(draw))
    if (!(before > 0)) return null
    changes[n] = statistic(second.next(draw)) / before - 1
  }
  changes.sort()
  const at = (share: number) => changes[Math.min(resamples - 1, Math.floor(share * resamples))]!
  return [at(tail), at(1 - tail)]
}

/** Draws from a series so that each sample comes out in order, without being sorted. */
class Resampler {
  readonly #ascending: Float64Array
  readonly #times: Uint32Array
  readonly #sample: Float64Array

  constructor(values: readonly number[]) {
    this.#ascending = Float64Array.from(values).toSorted()
    this.#times = new Uint32Array(values.length)
    this.#sample = new Float64Array(values.length)
  }

  next(draw: (below: number) => number): Float64Array {
    const { length } = this.#ascending
    this.#times.fill(0)
    for (let n = 0; n < length; n++) this.#times[draw(length)]!++
    let place = 0
    for (let index = 0; index < length; index++)
      for (let left = this.#times[index]!; left > 0; left--)
        this.#sample[place++] = this.#ascending[index]!
    return this.#sample
  }
}
