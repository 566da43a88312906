/** The quantile of a few values in any order: this share of them is not greater. */

/** @returns null if there are none */
export const quantile = (values: readonly number[], share: number): number | null =>
  values.toSorted((a, b) => a - b)[
    Math.min(values.length - 1, Math.floor(values.length * share))
  ] ?? null

export const median = (values: readonly number[]): number | null => quantile(values, 0.5)
