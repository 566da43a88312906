/**
 * An exact randomisation test over pairs. Within each pair a coin decided which side came first, so
 * if the sides do not differ, each difference is as likely with the other sign. All assignments of
 * signs make the distribution of the mean; there is no assumption about its shape.
 */
import { mix } from '../vocabulary/random.ts'

/** Up to this many pairs all assignments are tried; of more pairs, random ones are drawn. */
export const exactPairsMax = 20
export const drawnAssignments = 99_999

/** The means of the differences under all assignments of signs. */
export interface SignFlips {
  readonly differences: readonly number[]
  readonly mean: number
  /**
   * The means of the subsets, in ascending order. Take a shift off all differences, and flip the
   * signs of a subset: their mean does not get smaller if, and only if, the subset's mean was at
   * most the shift. So these means are all that is needed to test any shift, and to find the
   * interval.
   */
  readonly subsetMeans: Float64Array
  /** Whether these are all subsets, or some that were drawn at random. */
  readonly exact: boolean
}

export function signFlips(
  differences: readonly number[],
  seed = 1,
  exactMax = exactPairsMax,
): SignFlips {
  const exact = differences.length <= exactMax
  const subsetMeans = exact ? allSubsetMeans(differences) : drawnSubsetMeans(differences, seed)
  return { differences, mean: meanOf(differences), subsetMeans: subsetMeans.toSorted(), exact }
}

/** The means of all subsets but the empty one, which leaves everything as it is. */
function allSubsetMeans(values: readonly number[]): Float64Array {
  const sums = new Float64Array(2 ** values.length)
  const sizes = new Uint8Array(sums.length)
  for (const [bit, value] of values.entries()) {
    const half = 2 ** bit
    for (let at = 0; at < half; at++) {
      sums[half + at] = sums[at]! + value
      sizes[half + at] = sizes[at]! + 1
    }
  }
  return sums.map((sum, at) => sum / sizes[at]!).subarray(1)
}

function drawnSubsetMeans(values: readonly number[], seed: number): Float64Array {
  let place = mix(seed)
  const means = new Float64Array(drawnAssignments)
  for (let n = 0; n < means.length;) {
    let [sum, size] = [0, 0]
    for (let index = 0; index < values.length; index++) {
      if (mix(place++) >>> 31 === 0) continue
      sum += values[index]!
      size++
    }
    if (size > 0) means[n++] = sum / size
  }
  return means
}

/** Values that differ by less than this differ only by rounding. */
const rounding = 1e-12

/**
 * The probability of a mean at least as far from the shift as the measured one, if the signs are
 * chance.
 */
export function pValue({ subsetMeans }: SignFlips, shift = 0): number {
  const below = countUpTo(subsetMeans, shift + rounding)
  const above = subsetMeans.length - countUpTo(subsetMeans, shift - rounding)
  return Math.min(1, (2 * (Math.min(below, above) + 1)) / (subsetMeans.length + 1))
}

function countUpTo(ascending: Float64Array, limit: number): number {
  let [low, high] = [0, ascending.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (ascending[middle]! <= limit) low = middle + 1
    else high = middle
  }
  return low
}

/** The shifts that the test does not reject at that level; null if it cannot reject any. */
export function intervalOf({ subsetMeans }: SignFlips, level: number): [number, number] | null {
  // A tenth has no exact form in binary: 2,500 must not become 2,499.
  const least = Math.floor((level / 2) * (subsetMeans.length + 1) + 1e-9)
  if (least < 1) return null
  return [subsetMeans[least - 1]!, subsetMeans[subsetMeans.length - least]!]
}

/** The fewest pairs with which the test can reject at that level. */
export const fewestPairs = (level: number): number => Math.ceil(Math.log2(2 / level) - 1e-9)

export interface Tested {
  /** The level at which a figure was tested. */
  level: number
  rejected: boolean
}

/**
 * Holm's procedure: of several tests the probability that any one rejects wrongly is at most that
 * level. The smallest p is tested at a share of it, the next at a larger one, until a test does not
 * reject.
 */
export function holm(ps: readonly number[], level: number): Tested[] {
  const order = ps.map((p, index) => ({ p, index })).toSorted((a, b) => a.p - b.p)
  const tested: Tested[] = []
  let left = ps.length
  let rejecting = true
  for (const { p, index } of order) {
    const share = level / left
    rejecting &&= p <= share * (1 + 1e-9)
    tested[index] = { level: share, rejected: rejecting }
    if (rejecting) left--
  }
  return tested
}

/** The share of experiments with `pairsNeeded` pairs that give an answer. */
const power = 0.8

/**
 * About how many pairs are needed so that in most experiments the interval ends closer to the mean
 * than `distance`, if the differences spread as they did here.
 */
export function pairsNeeded(spread: number, distance: number, level: number): number {
  const z = normalQuantile(1 - level / 2)
  const wanted = (((z + normalQuantile(power)) * spread) / distance) ** 2 + (z * z) / 2
  return Math.max(fewestPairs(level), Math.ceil(wanted))
}

/** Abramowitz and Stegun 26.2.23: within 0.00045. */
function normalQuantile(share: number): number {
  const t = Math.sqrt(-2 * Math.log(1 - share))
  const above = 2.515517 + t * (0.802853 + t * 0.010328)
  return t - above / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** The standard deviation that such values have. */
export function spreadOf(values: readonly number[]): number {
  const mean = meanOf(values)
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return Math.sqrt(squares / (values.length - 1))
}
