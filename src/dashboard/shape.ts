/**
 * The shape of a value, written once: its type, its check, and its JSON Schema. Only what the API
 * needs is here.
 */

type Json = Readonly<Record<string, unknown>>

export interface Shape<T> {
  /** Its JSON Schema inside another schema: if it has a name, a reference. */
  readonly json: Json
  /** Its description in an error: `'limit' must be ${what}.` */
  readonly what: string
  readonly accepts: (value: unknown) => value is T
  /** The key may be missing in an object. */
  readonly isOptional?: true
}

/** A number, so that a text can be read as one. */
export interface NumberShape extends Shape<number> {
  readonly isNumber: true
}

export interface OptionalShape<T> extends Shape<T> {
  readonly isOptional: true
}

type Fields = Readonly<Record<string, Shape<unknown>>>

export interface ObjectShape<F extends Fields = Fields> extends Shape<ObjectOf<F>> {
  /** Its name among the schemas of the API; empty if it is not one of them. */
  readonly name: string
  readonly fields: F
  readonly definition: Json
}

/** The type of what has a shape. */
export type Of<S> = S extends Shape<infer T> ? T : never

type OptionalKeys<F> = { [K in keyof F]: F[K] extends OptionalShape<unknown> ? K : never }[keyof F]
/** Makes one type of an intersection, so that an editor shows all its keys. */
type Simple<T> = { [K in keyof T]: T[K] }
type ObjectOf<F> = Simple<
  { [K in Exclude<keyof F, OptionalKeys<F>>]: Of<F[K]> } & { [K in OptionalKeys<F>]?: Of<F[K]> }
>

const textMax = 1_000

export const string: Shape<string> = {
  json: { type: 'string' },
  what: 'a short text',
  accepts: (value): value is string => typeof value === 'string' && value.length <= textMax,
}

export const boolean: Shape<boolean> = {
  json: { type: 'boolean' },
  what: 'true or false',
  accepts: (value): value is boolean => typeof value === 'boolean',
}

/** Bounds of a number; `above` is not allowed itself. */
interface Bounds {
  least?: number
  above?: number
  most?: number
}

function within(json: Json, what: string, isKind: (value: unknown) => boolean, limits: Bounds) {
  const { least, above, most } = limits
  const count = (value: number) => value.toLocaleString('en')
  const from = above === undefined ? '' : ` above ${count(above)}`
  const to = most === undefined ? '' : `, ${count(most)} at most`
  return {
    isNumber: true,
    json: {
      ...json,
      ...(least !== undefined && { minimum: least }),
      ...(above !== undefined && { exclusiveMinimum: above }),
      ...(most !== undefined && { maximum: most }),
    },
    what: `${what}${from}${to}`,
    accepts: (value): value is number =>
      isKind(value) &&
      (value as number) >= (least ?? -Infinity) &&
      (value as number) > (above ?? -Infinity) &&
      (value as number) <= (most ?? Infinity),
  } satisfies NumberShape
}

export const number = (limits: Bounds = {}): NumberShape =>
  within({ type: 'number' }, 'a number', Number.isFinite, limits)

export const wholeNumber = ({ least = 0, most }: Bounds = {}): NumberShape =>
  within({ type: 'integer' }, `a whole number from ${least} on`, Number.isInteger, {
    least,
    ...(most !== undefined && { most }),
  })

export const oneOf = <const T extends string>(values: readonly T[]): Shape<T> => ({
  json: { enum: values },
  what: values.length === 1 ? values[0]! : `one of ${values.join(', ')}`,
  accepts: (value): value is T => values.includes(value as T),
})

export const array = <T>(item: Shape<T>): Shape<T[]> => ({
  json: { type: 'array', items: item.json },
  what: item === (string as Shape<unknown>) ? 'a list of texts' : 'a list',
  accepts: (value): value is T[] => Array.isArray(value) && value.every(item.accepts),
})

/** A list of a known length. */
export const row = <T extends unknown[]>(...items: { [K in keyof T]: Shape<T[K]> }): Shape<T> => ({
  json: {
    type: 'array',
    prefixItems: items.map(({ json }) => json),
    minItems: items.length,
    maxItems: items.length,
  },
  what: `a list of ${items.length}`,
  accepts: (value): value is T =>
    Array.isArray(value) &&
    value.length === items.length &&
    items.every(({ accepts }, place) => accepts(value[place])),
})

export const orNull = <T>({ json, what, accepts }: Shape<T>): Shape<T | null> => ({
  json: withNull(json),
  what: `${what}, or null`,
  accepts: (value): value is T | null => value === null || accepts(value),
})

function withNull(json: Json): Json {
  if (typeof json['type'] === 'string') return { ...json, type: [json['type'], 'null'] }
  if (Array.isArray(json['enum'])) return { ...json, enum: [...(json['enum'] as unknown[]), null] }
  return { anyOf: [json, { type: 'null' }] }
}

/** A key that may be missing, and its default. */
export const optional = <S extends Shape<unknown>>(shape: S, standard?: Of<S>) => ({
  ...shape,
  json: standard === undefined ? shape.json : { ...shape.json, default: standard },
  isOptional: true as const,
})

/** Adds a description to a shape. */
export const about = <S extends Shape<unknown>>(description: string, shape: S): S => ({
  ...shape,
  json: { ...shape.json, description },
})

export const instant = about('Milliseconds since 1970.', number())

/** @param name its name among the schemas of the API; empty: it is not one of them */
export function object<F extends Fields>(name: string, fields: F, meaning = ''): ObjectShape<F> {
  const entries = Object.entries(fields)
  const definition = {
    type: 'object',
    properties: Object.fromEntries(entries.map(([key, { json }]) => [key, json])),
    required: entries.filter(([, { isOptional }]) => !isOptional).map(([key]) => key),
    ...(meaning && { description: meaning }),
  }
  return {
    name,
    fields,
    definition,
    json: name === '' ? definition : { $ref: `#/components/schemas/${name}` },
    what: 'an object',
    accepts: (value): value is ObjectOf<F> =>
      typeof value === 'object' && value !== null && problemOf(value as Json, fields) === undefined,
  }
}

/** Why an object is not of a shape, and what to try; undefined if it is. */
export function problemOf(
  value: Json,
  fields: Fields,
): [message: string, hint: string] | undefined {
  const known = Object.keys(fields)
  const unknown = Object.keys(value).find(key => !known.includes(key))
  if (unknown !== undefined) return [`'${unknown}' is not known.`, `There are ${known.join(', ')}.`]
  for (const [key, { what, accepts, isOptional }] of Object.entries(fields))
    if (!(value[key] === undefined && isOptional) && !accepts(value[key]))
      return [`'${key}' must be ${what}.`, '']
  return undefined
}
