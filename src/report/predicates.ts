/** Predicates of what is read from a file, which may be anything. */

export type Predicate = (value: unknown) => boolean

/** JSON can write a number that is too large to be one. */
export const isNumber: Predicate = value => Number.isFinite(value)
export const isNumberOrNull: Predicate = value => value === null || isNumber(value)
export const isText: Predicate = value => typeof value === 'string'
export const isFlag: Predicate = value => typeof value === 'boolean'
export const listOf =
  (predicate: Predicate): Predicate =>
  value =>
    Array.isArray(value) && value.every(predicate)
export const record =
  (predicates: Record<string, Predicate>): Predicate =>
  value =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(predicates).every(([key, predicate]) =>
      predicate((value as Record<string, unknown>)[key]),
    )
export const each = (names: readonly string[], predicate: Predicate): Record<string, Predicate> =>
  Object.fromEntries(names.map(name => [name, predicate]))

const figures = ['min', 'mean', 'p50', 'p90', 'p99', 'p999', 'p9999', 'p99999', 'max']
export const isDistribution = record({
  count: isNumber,
  ...each(figures, isNumberOrNull),
})

/** The first key whose value has the wrong form; undefined if there is none. */
export const brokenKey = (
  value: unknown,
  predicates: Record<string, Predicate>,
): string | undefined =>
  Object.keys(predicates).find(key => !predicates[key]!((value as Record<string, unknown>)[key]))
