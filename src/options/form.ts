/**
 * The form of a table of options. Each option is in its table once; the types of the library, the
 * defaults, the flags of the command line with their help, the checks, the command that repeats a
 * run and what a comparison compares all follow from that row.
 */
import type { EngineName } from '../vocabulary/engine-names.ts'
import { usageError } from '../vocabulary/errors.ts'
import type { TransportName } from '../vocabulary/transport.ts'

/** The kind of an option's values. */
export interface Kind<T> {
  /** What help shows behind the flag, such as `<rate>`; empty if the flag has no value. */
  readonly placeholder: string
  /**
   * Parses typed text.
   * @throws UserError that says what is wrong with it
   */
  parse(text: string): T
  /** The text to type behind the flag, one for each time that the flag is typed; '' for no text. */
  format(value: T): readonly string[]
  /** What is wrong with a value; it follows the name of the option: `must be more than 0.` */
  mistake(value: T): string | undefined
  /** All values, if there are only a few. */
  readonly choices?: readonly string[]
  /** The flag may be typed several times, and the values are joined. */
  readonly many?: true
  /** The typed text is the path of a file, and its content is the value. */
  readonly file?: true
}

/** The row of an option without its kind of values. */
export interface About<T, D extends T | undefined> {
  readonly default: D
  /**
   * The option's name on the command line, without dashes. An option without a flag is only for the
   * library.
   */
  readonly flag?: string
  /** A flag of one letter with the same meaning. */
  readonly short?: string
  /** The option is an argument, without a flag. */
  readonly positional?: true
  readonly help?: string
  /** The text of the default in the help, if the value itself does not show it. */
  readonly defaultText?: string
  /**
   * Set if runs that differ in this option cannot be compared: its name in a comparison, and how a
   * value is shown.
   */
  readonly condition?: ComparedAs
  /** Why a search for the highest rate refuses the option: a sentence, and what to try. */
  readonly notInSearch?: readonly [because: string, hint: string]
  /** For which transports and engines the option makes sense, if not for all. */
  readonly where?: Where
}

export type Where = OnTransports | OnEngines

interface OnTransports {
  /**
   * Each engine that speaks one of the transports has the option. If an option protects a server or
   * a client, its row names the engines instead: an engine that learns a transport then refuses the
   * option until its name is added.
   */
  readonly engines: 'every'
  readonly act?: undefined
  /** The transports that have it. */
  readonly transports: readonly TransportName[]
  /** Why another transport refuses it, as a sentence; without it the option does nothing there. */
  readonly reason?: (transport: TransportName) => string
}

/** An engine may have an option on some of its transports only, so these must be named. */
interface OnEngines extends Omit<OnTransports, 'engines' | 'act'> {
  /** The engines that have it. The others refuse it. */
  readonly engines: readonly EngineName[]
  /** What the option does: the end of a sentence that begins with `The NAME engine cannot`. */
  readonly act: string
}

export interface ComparedAs {
  readonly name: string
  /** The key under which the conditions of a run have it, if it is not the name of the option. */
  readonly key?: string
  /** @param value null or undefined if there is none; JSON writes Infinity as null */
  show(value: unknown): string
}

export interface Option<T, D extends T | undefined = T | undefined> extends About<T, D> {
  readonly kind: Kind<T>
}

/** Options that belong together, and are one object in the library. */
export interface Group<Rows extends Table = Table> {
  readonly rows: Rows
}

// oxlint-disable-next-line typescript/no-explicit-any -- of any type of value
export type Row = Option<any> | Group<any>
export interface Table {
  readonly [name: string]: Row
}

/** The row of an option. */
export const option = <T, const D extends T | undefined>(
  kind: Kind<T>,
  about: About<T, D>,
): Option<T, D> => ({ kind, ...about })

export const group = <Rows extends Table>(rows: Rows): Group<Rows> => ({ rows })

type ValueOf<R> =
  R extends Group<infer Rows> ? OptionsOf<Rows> : R extends Option<infer T, infer _> ? T : never
type ResolvedValue<R> =
  R extends Group<infer Rows>
    ? OptionsOf<Rows>
    : R extends Option<infer T, infer D>
      ? undefined extends D
        ? T | undefined
        : T
      : never

/** The options that a caller may give. */
export type OptionsOf<Rows extends Table> = {
  -readonly [Name in keyof Rows]?: ValueOf<Rows[Name]> | undefined
}
/** The options of a table, with the defaults of those that are not given. */
export type ResolvedOf<Rows extends Table> = {
  -readonly [Name in keyof Rows]: ResolvedValue<Rows[Name]>
}

// oxlint-disable-next-line typescript/no-explicit-any -- of any table
const isGroup = (row: Row): row is Group<any> => 'rows' in row

/** The defaults of a table; the default of a group is to be empty. */
export const defaultsOf = <Rows extends Table>(rows: Rows): ResolvedOf<Rows> =>
  Object.fromEntries(
    Object.entries(rows).map(([name, row]) => [name, isGroup(row) ? {} : row.default]),
  ) as ResolvedOf<Rows>

/**
 * Adds the defaults of options that are not given (or `undefined`). Keys that are not in the table
 * stay unchanged.
 */
export function resolve<Rows extends Table, O extends OptionsOf<Rows>>(
  rows: Rows,
  options: O,
  defaults: Partial<ResolvedOf<Rows>> = {},
): Omit<O, keyof Rows> & ResolvedOf<Rows> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...defaultsOf(rows), ...defaults, ...Object.fromEntries(given) } as never
}

/** @throws UserError for the first value that makes no sense */
export function validateOptions(rows: Table, options: object): void {
  for (const [name, value] of Object.entries(options)) {
    const row = Object.hasOwn(rows, name) ? rows[name]! : undefined
    if (!row || value === undefined) continue
    if (isGroup(row)) {
      validateOptions(row.rows, value as object)
      continue
    }
    const mistake = row.kind.mistake(value)
    if (mistake !== undefined) throw usageError(`${name} ${mistake}`)
  }
}

/**
 * The words to type for these options, in their order. Options with their default value are left
 * out.
 */
export function wordsOf(rows: Table, options: object, defaults: object = {}): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const row = Object.hasOwn(rows, name) ? rows[name]! : undefined
    if (!row || value == null) return []
    if (isGroup(row)) return wordsOf(row.rows, value as object)
    const { flag, kind, positional } = row
    const usual = (defaults as Record<string, unknown>)[name]
    if (value === Infinity || isAlike(kind, value, usual)) return []
    const texts = kind.format(value)
    if (positional) return [...texts]
    if (flag === undefined) return []
    return texts.flatMap(text => (text === '' ? [`--${flag}`] : [`--${flag}`, text]))
  })
}

const isAlike = (kind: Kind<unknown>, value: unknown, usual: unknown) =>
  usual !== undefined && JSON.stringify(kind.format(value)) === JSON.stringify(kind.format(usual))

/** The options, those in groups too, in their order; their paths begin with their groups. */
export function optionsIn(
  rows: Table,
  within: readonly string[] = [],
): [name: string, option: Option<unknown>, path: readonly string[]][] {
  return Object.entries(rows).flatMap(([name, row]) => {
    const path = [...within, name]
    if (isGroup(row)) return optionsIn(row.rows, path)
    return [[name, row, path] as [string, Option<unknown>, string[]]]
  })
}

/** The value of the option with that path; undefined if it was not given. */
export const valueIn = (options: object, path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (value, name) => (value as Record<string, unknown> | undefined)?.[name],
    options,
  )

/**
 * The options that were typed, by their names in the library.
 * @param typed by their flags, as `timeout` or `serverName`; undefined if they were not typed
 */
export function fromFlags<Rows extends Table>(
  rows: Rows,
  typed: Readonly<Record<string, unknown>>,
): OptionsOf<Rows> {
  const options: Record<string, unknown> = {}
  for (const [name, row] of Object.entries(rows)) {
    const value = isGroup(row)
      ? fromFlags(row.rows, typed)
      : row.flag === undefined
        ? undefined
        : typed[camelCase(row.flag)]
    const isEmpty = isGroup(row) && Object.keys(value as object).length === 0
    if (value !== undefined && !isEmpty) options[name] = value
  }
  return options as OptionsOf<Rows>
}

/** `server-name` → `serverName`, the key in the parser of the command line. */
export const camelCase = (flag: string) =>
  flag.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
