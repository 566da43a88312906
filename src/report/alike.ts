/** Whether parts belong to one load. */
import { callingOptions } from '../options/calling.ts'
import { optionsIn } from '../options/form.ts'
import { usageError } from '../vocabulary/errors.ts'
import type { Part } from './part-form.ts'
import type { RunResult } from './result.ts'

export interface Planned {
  name: string
  plan: Map<string, string>
  expect: string[]
}

/** What may differ between slices of one load. */
const own = new Set(['slice', 'startAt', 'engine', 'threads'])

/** Everything else that decides what is sent. */
export function planOf({ run }: RunResult, part: Part): Map<string, string> {
  const options = Object.entries(run.options).filter(([name]) => !own.has(name))
  const words = wordsOf(run.reproduce)
  return new Map([
    ['count of slices', String(part.of)],
    ['version of yodel', run.versions.yodel ?? 'unknown'],
    ['address', run.address],
    ['seed', String(run.seed)],
    ['objectives', part.expect.join(', ') || 'none'],
    ...options.map(([name, value]): [string, string] => [name, JSON.stringify(value)]),
    ...callingFlags.map((flag): [string, string] => [`option ${flag}`, typed(flag, words)]),
  ])
}

/** The way of a machine, and which certificates it trusts: no byte of the load depends on it. */
const ofMachine = new Set(['ca', 'pin', 'insecure', 'cert', 'key', 'source', 'proxy'])
/** Options of what a client sends before its first message: only the command has them. */
const callingFlags = optionsIn(callingOptions).flatMap(([, { flag }]) =>
  flag === undefined || ofMachine.has(flag) ? [] : [flag],
)

/** The words of a command as a shell divides it, each as it was written. */
const wordsOf = (command: string): string[] =>
  command.match(/(?:\$'(?:\\.|[^'\\])*'|'[^']*'|\\'|[^\s'])+/g) ?? []

/** An option with its value, if it has one, each time that it was typed. */
const typed = (flag: string, words: readonly string[]): string =>
  words
    .flatMap((word, n) => {
      if (word !== `--${flag}`) return []
      const value = words[n + 1] ?? '-'
      return value.startsWith('-') ? [word] : [word, value]
    })
    .join(' ') || 'none'

/** @throws UserError if they do not */
export function checkAlike(first: Planned, other: Planned): void {
  for (const what of new Set([...first.plan.keys(), ...other.plan.keys()])) {
    const [a, b] = [first.plan.get(what) ?? 'none', other.plan.get(what) ?? 'none']
    if (a !== b)
      throw usageError(
        `${other.name} is no part of the load of ${first.name}: ${what} ${b}, not ${a}.`,
        'Slices of one load differ in --slice alone.',
      )
  }
}
