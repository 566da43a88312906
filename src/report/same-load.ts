/** Whether parts belong to one load. */
import { callingOptions, type Calling } from '../options/calling.ts'
import { optionsIn, valueIn, wordsOf } from '../options/form.ts'
import { usageError } from '../vocabulary/errors.ts'
import { quoted } from '../vocabulary/text.ts'
import type { PartSection } from './part-form.ts'
import type { RunResult } from './result.ts'

export interface ComparedPart {
  name: string
  conditions: Map<string, string>
  expect: string[]
}

/** Options that may differ between slices of one load. */
const own = new Set(['slice', 'startAt', 'engine', 'threads'])

/** All other options, which decide what is sent. */
export function conditionsOfPart({ run }: RunResult, part: PartSection): Map<string, string> {
  const options = Object.entries(run.options).filter(([name]) => !own.has(name))
  return new Map([
    ['count of slices', String(part.of)],
    ['version of yodel', run.versions.yodel ?? 'unknown'],
    ['address', run.address],
    ['seed', String(run.seed)],
    ['objectives', part.expect.join(', ') || 'none'],
    ...options.map(([name, value]): [string, string] => [name, JSON.stringify(value)]),
    ...Object.entries(part.calling).map(([flag, words]): [string, string] => [
      `option ${flag}`,
      words,
    ]),
  ])
}

/**
 * Options for the route of a machine, and for the certificates that it trusts: the load does not
 * depend on them.
 */
const ofMachine = new Set(['ca', 'pin', 'insecure', 'cert', 'key', 'source', 'interface', 'proxy'])
const sentFirst = optionsIn(callingOptions).filter(
  ([, { flag }]) => flag !== undefined && !ofMachine.has(flag),
)

/**
 * The options for what a client sends before its first message, as they are typed, without secrets.
 */
export const callingOf = (calling: Calling): PartSection['calling'] =>
  Object.fromEntries(
    sentFirst.flatMap(([name, row, path]): [flag: string, words: string][] => {
      const words = wordsOf({ [name]: row }, { [name]: valueIn(calling, path) })
      return words.length > 0 ? [[row.flag!, words.map(quoted).join(' ')]] : []
    }),
  )

/** @throws UserError if the parts do not belong to one load */
export function checkAlike(first: ComparedPart, other: ComparedPart): void {
  for (const what of new Set([...first.conditions.keys(), ...other.conditions.keys()])) {
    const [a, b] = [first.conditions.get(what) ?? 'none', other.conditions.get(what) ?? 'none']
    if (a !== b)
      throw usageError(
        `${other.name} is not part of the load of ${first.name}: ${what} ${b}, not ${a}.`,
        'Slices of one load may differ only in --slice.',
      )
  }
}
