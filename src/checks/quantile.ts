/** Of a few values in any order: which of them is not exceeded by that share of them. */

/** @returns null if there are none */
export const quantile = (values: readonly number[], share: number): number | null =>
  values.toSorted((a, b) => a - b)[
    Math.min(values.length - 1, Math.floor(values.length * share))
  ] ?? null

export const median = (values: readonly number[]): number | null => quantile(values, 0.5)
