/** One word for one idea: in src/ no exported name and no name of a file means several things. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path/posix'
import { test } from 'node:test'
import { root } from './program.ts'

const filesIn = (folder: string): string[] =>
  readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .map(file => file.replaceAll('\\', '/'))
    .filter(file => /(?<!\.(test|suite))\.tsx?$/.test(file))
const textsIn = (folder: string): Map<string, string> =>
  new Map(filesIn(folder).map(file => [file, readFileSync(`${root}${folder}/${file}`, 'utf8')]))

const sources = textsIn('src')
const files = [...sources.keys()]

/** What a file declares and exports; what it only passes on is declared elsewhere. */
const declaration =
  /^export (?:abstract |async )*(?:type|interface|class|function\*?|const|let) (\w+)/gm
const declared = (text: string): string[] => [...text.matchAll(declaration)].map(match => match[1]!)

const engineOf = (file: string) => /^engines\/(?!os\/)(\w+)\//.exec(file)?.[1]

/** One engine does not import another, so each may use a name in its own way. */
const areOtherEngines = (one: string, other: string): boolean => {
  const [a, b] = [engineOf(one), engineOf(other)]
  return a !== undefined && b !== undefined && a !== b
}

/** Names that several files declare. Each engine may have its own part of the same name. */
function ambiguous(texts: ReadonlyMap<string, string>): string[] {
  const places = new Map<string, string[]>()
  for (const [file, text] of texts)
    for (const name of new Set(declared(text)))
      places.set(name, [...(places.get(name) ?? []), file])
  return [...places]
    .filter(([, where]) => {
      const engines = where.map(engineOf)
      return (
        new Set(engines).size < where.length || (where.length > 1 && engines.includes(undefined))
      )
    })
    .map(([name, where]) => `${name}: ${where.join(' ')}`)
}

test('an exported name is declared once', () => {
  assert.deepEqual(ambiguous(sources), [])
  // The page is a program of its own.
  assert.deepEqual(ambiguous(textsIn('page')), [])
  const made: Record<string, string> = {
    'load/a.ts': 'export interface Outcome {\n}\nexport const plan = 1\ntype Own = 1\n',
    'checks/b.ts': "export type Outcome = 'ok'\nexport async function plan() {}\ntype Own = 2\n",
    'checks/c.ts': "export type { Outcome } from './b.ts'\n",
    'engines/node/a.ts': 'export class Ledger {}\nexport class Twice {}\n',
    'engines/node/b.ts': 'export class Twice {}\n',
    'engines/uring/a.ts': 'export abstract class Ledger {}\n',
    'engines/os/a.ts': 'export function* both() {}\n',
    'engines/blocking/a.ts': 'export function both() {}\n',
  }
  assert.deepEqual(ambiguous(new Map(Object.entries(made))), [
    'Outcome: load/a.ts checks/b.ts',
    'plan: load/a.ts checks/b.ts',
    'Twice: engines/node/a.ts engines/node/b.ts',
    'both: engines/os/a.ts engines/blocking/a.ts',
  ])
})

/** Types that a file declares for itself. */
const ownTypes = (text: string): string[] =>
  [...text.matchAll(/^(?:type|interface|class) (\w+)/gm)].map(match => match[1]!)

/** Types of a file that have the name of what another file exports. */
function shadowing(texts: ReadonlyMap<string, string>): string[] {
  const exported = [...texts].flatMap(([file, text]) =>
    declared(text).map(name => ({ name, file })),
  )
  return [...texts].flatMap(([file, text]) =>
    ownTypes(text).flatMap(own =>
      exported
        .filter(({ name, file: other }) => name === own && !areOtherEngines(file, other))
        .map(other => `${own}: ${file} ${other.file}`),
    ),
  )
}

/** What a question of `check` has found is a finding of its result, once it is in that. */
const sameIdea = /^Finding: checks\/\S+ checks\/result\.ts$/

test('no type of a file has the name of an exported one', () => {
  assert.deepEqual(
    shadowing(sources).filter(found => !sameIdea.test(found)),
    [],
  )
  const made: Record<string, string> = {
    'load/a.ts': 'export interface Place {}\nexport const Value = 1\n',
    'cli/b.ts': 'type Place = 1\ntype Value = 1\ntype Own = 1\n',
    'engines/node/a.ts': 'export class Pending {}\n',
    'engines/uring/a.ts': 'interface Pending {}\n',
  }
  assert.deepEqual(shadowing(new Map(Object.entries(made))), [
    'Place: cli/b.ts load/a.ts',
    'Value: cli/b.ts load/a.ts',
  ])
})

/** Pairs of files in a folder whose names differ only by an ending. */
const alike = (names: readonly string[]): string[] =>
  names.flatMap(name =>
    ['s', 'es', 'd', 'ed', 'er', 'ers', 'ing', 'ings']
      .map(ending => name.replace('.ts', `${ending}.ts`))
      .filter(other => names.includes(other))
      .map(other => `${dirname(name)}: ${basename(name)} ${basename(other)}`),
  )

test('names of files differ by more than an ending', () => {
  // Two commands, which users know by these names.
  const commands = 'cli: agent.ts agents.ts'
  assert.deepEqual(alike(files), [commands])
  assert.deepEqual(alike(['a/watch.ts', 'a/watching.ts', 'b/watches.ts', 'a/watch-log.ts']), [
    'a: watch.ts watching.ts',
  ])
})
