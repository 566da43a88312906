/** The quantile of a few unsorted values: the given share of the values does not exceed it. */

/** @returns null if there are none */
export const quantile = (values: readonly number[], share: number): number | null =>
  values.toSorted((a, b) => a - b)[
    Math.min(values.length - 1, Math.floor(values.length * share))
  ] ?? null

export const median = (values: readonly number[]): number | null => quantile(values, 0.5)
