/** Percentiles by the nearest rank, and how many samples each needs. */

export type Buckets = readonly (readonly [us: number, count: number])[]

/**
 * The fewest samples that must lie beyond a percentile: with fewer, single samples would decide it.
 */
export const leastBeyond = 10

/** 0.7 * 10 is more than 7 in binary floating point, and its ceiling would be 8. */
export const rankOf = (quantile: number, count: number): number =>
  Math.max(1, Math.ceil(quantile * count - count * 1e-12))

/**
 * Whether this many samples say anything about a percentile: enough of them have to lie beyond
 * it, on its side of the median. The median of whatever there is counts as known.
 */
export function supported(quantile: number, count: number): boolean {
  if (count === 0 || quantile === 0.5) return count > 0
  const rank = rankOf(quantile, count)
  return (quantile > 0.5 ? count - rank : rank - 1) >= leastBeyond
}

/**
 * The fewest samples that support a quantile; Infinity for 1, which is the maximum and not a
 * percentile.
 */
export function fewestSamples(quantile: number): number {
  if (quantile === 0.5) return 1
  const beyond = quantile > 0.5 ? 1 - quantile : quantile
  if (beyond <= 0) return Infinity
  let count = Math.floor(leastBeyond / beyond) - 1
  while (!supported(quantile, count)) count++
  return count
}

export const countOf = (buckets: Buckets): number =>
  buckets.reduce((sum, [, count]) => sum + count, 0)

/** The least value at or below which that share of the samples lies; null if there is none. */
export function ranked(buckets: Buckets, quantile: number): number | null {
  const rank = rankOf(quantile, countOf(buckets))
  let seen = 0
  for (const [us, count] of buckets) if ((seen += count) >= rank) return us
  return null
}
