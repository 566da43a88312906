/** A scenario: the options of a command in a file, by the names that they have when typed. */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseAddress, type Address } from '../vocabulary/address.ts'
import { usageError, UserError } from '../vocabulary/errors.ts'
import { camelCase, option, optionsIn, type Kind, type Option } from '../options/form.ts'
import { text } from '../options/kinds.ts'
import { cannot } from './files.ts'
import type { Tables } from './option-flags.ts'

export const scenarioTable = {
  scenario: option(text('<file>'), {
    default: undefined,
    flag: 'scenario',
    help: 'read options from a file (YAML or JSON); options that you type replace them',
  }),
}

/** The arguments of a command: the typed ones and those of its scenario. */
export interface Given {
  address: Address
  flags: Record<string, unknown>
  /** Arguments other than the address, such as the message of flood. */
  words: Record<string, string>
}

/** The command that was typed. */
interface TypedCommand {
  name(): string
  readonly args: readonly string[]
  getOptionValueSource(key: string): string | undefined
}

/**
 * @param wordNames arguments that the file may have in addition to the address
 * @throws UserError that names the file, and what is wrong in it
 */
export async function withScenario(
  command: object,
  tables: Tables,
  { address, flags }: Pick<Given, 'address' | 'flags'>,
  wordNames: readonly string[] = [],
): Promise<Given> {
  const { args } = command as TypedCommand
  const given: Given = { address, flags: { ...flags }, words: {} }
  const path = flags['scenario'] as string | undefined
  if (path === undefined) return given
  const rows = new Map(
    tables
      .flatMap(([, rows]) => optionsIn(rows).map(([, row]) => row))
      .flatMap(row => (row.flag === undefined ? [] : [[row.flag, row] as const])),
  )
  rows.delete('scenario')
  for (const [key, value] of Object.entries(await read(path))) {
    try {
      if (key === 'command') checkCommand(value, (command as TypedCommand).name())
      else if (key === 'address') {
        const found = parseAddress(single(value))
        if (args.length === 0) given.address = found
      } else if (wordNames.includes(key)) given.words[key] = single(value)
      else {
        const row = rows.get(key)
        if (!row) throw usageError('There is no such option.', suggestion(key, [...rows.keys()]))
        const found = valueOf(row, value, dirname(path))
        const name = camelCase(key)
        const isTyped = (command as TypedCommand).getOptionValueSource(name) === 'cli'
        if (!isTyped && found !== undefined) given.flags[name] = found
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      throw usageError(`${path}: ${key}: ${error.message}`, error.hint)
    }
  }
  return given
}

function checkCommand(value: unknown, name: string): void {
  if (value === name) return
  throw usageError(`It is for yodel ${single(value)}, not for yodel ${name}.`)
}

/** A value in the form in which it would be typed. */
function single(value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw usageError('It needs one value.')
}

function valueOf({ kind }: Option<unknown>, value: unknown, folder: string): unknown {
  if (kind.placeholder === '') {
    const word = single(value)
    if (word !== 'true' && word !== 'false') throw usageError('It is true or false.')
    return word === 'true' ? true : undefined
  }
  if (!kind.many) return parsed(kind, single(value), folder)
  const all = Array.isArray(value) ? (value as unknown[]) : [value]
  return all.flatMap(each => parsed(kind, single(each), folder) as unknown[])
}

function parsed(kind: Kind<unknown>, typed: string, folder: string): unknown {
  // If the value of an option may be left out, `true` in a file means without a value.
  const written = kind.placeholder.startsWith('[') && typed === 'true' ? '' : typed
  const found = kind.parse(kind.file ? contentOf(resolve(folder, written)) : written)
  const mistake = kind.mistake(found)
  if (mistake !== undefined) throw usageError(`It ${mistake}`)
  return found
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw cannot('read', path, error)
  }
}

async function read(path: string): Promise<Record<string, unknown>> {
  const content = contentOf(path)
  const document = /\.json$/i.test(path) ? readJson(path, content) : await readYaml(path, content)
  if (typeof document === 'object' && document !== null && !Array.isArray(document))
    return document as Record<string, unknown>
  throw usageError(`${path} has no options.`, 'Write for example connections: 10')
}

function readJson(path: string, content: string): unknown {
  try {
    return JSON.parse(content)
  } catch (error) {
    throw usageError(`${path} is not JSON: ${(error as Error).message}.`)
  }
}

async function readYaml(path: string, content: string): Promise<unknown> {
  const { parseDocument } = await import('yaml')
  // Every value is text, as when it is typed: 1e3, on and 0123 stay what they are.
  const document = parseDocument(content, { schema: 'failsafe', prettyErrors: true })
  const [error] = document.errors
  if (error) {
    const [said] = error.message.split('\n')
    throw usageError(`${path} is not YAML: ${said!.replace(/:$/, '')}.`)
  }
  return document.toJS()
}

/** The known name that is most similar, as a suggestion. */
function suggestion(name: string, known: readonly string[]): string {
  const [best] = known
    .map(each => ({ each, distance: distanceOf(name, each) }))
    .toSorted((a, b) => a.distance - b.distance)
  const isNear = best !== undefined && best.distance <= Math.max(1, Math.floor(name.length / 3))
  return isNear ? `Did you mean ${best.each}?` : 'The names are those of --help, without dashes.'
}

/** How many letters have to be added, left out or changed (Levenshtein). */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n)
  for (const [i, letter] of a.split('').entries()) {
    const next = [i + 1]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(letter !== b[j - 1])))
    row = next
  }
  return row[b.length]!
}
