/** Tables of options as flags of the command line. */
import { InvalidArgumentError, Option, type Command } from 'commander'
import { optionsIn, type Kind, type Option as Row, type Table } from '../options/form.ts'
import { fileContent, value } from './flags.ts'

/** The kind of each flag, which the parser of the command line does not keep. */
export const flagKinds = new WeakMap<object, Kind<unknown>>()

/** All options of a command, in the order of its help, each table under its heading. */
export type Tables = readonly (readonly [heading: string | undefined, rows: Table])[]

export function addTables(command: object, tables: Tables): void {
  for (const [heading, rows] of tables) addOptions(command, rows, heading)
}

/**
 * Adds the flags of a table; `fromFlags()` reads the typed values. A default is only shown in the
 * help: an option that was not typed stays undefined, so that the library decides.
 * @param heading the heading of these options in the help
 */
function addOptions(command: object, rows: Table, heading?: string): void {
  for (const [, row] of optionsIn(rows)) {
    const { flag } = row
    if (flag === undefined) continue
    const flagOption = flagOf(flag, row)
    flagKinds.set(flagOption, row.kind)
    if (heading !== undefined) flagOption.helpGroup(heading)
    ;(command as Command).addOption(flagOption)
  }
}

function flagOf(flag: string, row: Row<unknown>): Option {
  const { kind, help = '' } = row
  const names = row.short === undefined ? `--${flag}` : `-${row.short}, --${flag}`
  const said = new Option(`${names} ${kind.placeholder}`.trimEnd(), help + defaultOf(row))
  if (kind.placeholder === '') return said
  // A flag without a value is read like any other text; help need not show which.
  if (kind.placeholder.startsWith('[')) said.argParser(parserOf(kind)).preset('')
  if (kind.choices && !kind.many) return said.choices(kind.choices)
  return said.argParser(parserOf(kind))
}

function parserOf(kind: Kind<unknown>) {
  const parse = value((text: string) => {
    const parsed = kind.parse(kind.file ? fileContent(text) : text)
    const mistake = kind.mistake(parsed)
    if (mistake !== undefined) throw new InvalidArgumentError(`It ${mistake}`)
    return parsed
  })
  if (!kind.many) return parse
  return (text: string, before: unknown) => [
    ...((before as unknown[] | undefined) ?? []),
    ...(parse(text) as unknown[]),
  ]
}

/** ` (default: 10s)` */
function defaultOf(row: Row<unknown>): string {
  const text = usualOf(row)
  return text === '' ? '' : ` (default: ${text})`
}

/** The default as text; '' if the help need not show it. */
export const usualOf = ({ kind, default: usual, defaultText }: Row<unknown>): string =>
  defaultText ?? (isNothing(usual) ? '' : kind.format(usual).join())

/** Whether a default means no limit, or nothing: the help does not show it then. */
const isNothing = (usual: unknown) => usual === undefined || usual === Infinity || usual === 0
