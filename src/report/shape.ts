/** Forms of what is read from a file, which may be anything. */

export type Shape = (value: unknown) => boolean

export const number: Shape = value => typeof value === 'number'
export const numberOrNull: Shape = value => value === null || number(value)
export const text: Shape = value => typeof value === 'string'
export const flag: Shape = value => typeof value === 'boolean'
export const listOf =
  (shape: Shape): Shape =>
  value =>
    Array.isArray(value) && value.every(shape)
export const record =
  (shapes: Record<string, Shape>): Shape =>
  value =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(shapes).every(([key, shape]) => shape((value as Record<string, unknown>)[key]))
export const each = (names: readonly string[], shape: Shape): Record<string, Shape> =>
  Object.fromEntries(names.map(name => [name, shape]))

const figures = ['min', 'mean', 'p50', 'p90', 'p99', 'p999', 'p9999', 'p99999', 'max']
export const distribution = record({
  count: number,
  ...each(figures, numberOrNull),
})

/** The first key whose value has another form than its own; undefined if none has. */
export const brokenKey = (value: unknown, shapes: Record<string, Shape>): string | undefined =>
  Object.keys(shapes).find(key => !shapes[key]!((value as Record<string, unknown>)[key]))
