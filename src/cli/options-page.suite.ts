/** What docs/options.md says: the tables of options, as the help of each command has them. */
import { engineNames } from '../vocabulary/engine-names.ts'
import { transportNames } from '../vocabulary/transport.ts'
import { optionsIn, type Option } from '../options/form.ts'
import { isForEngine, isForSomeEngines, isForTransport } from '../options/where.ts'
import { agentTables } from './agent.ts'
import { agentsTables } from './agents.ts'
import { benchTables } from './bench.ts'
import { checkTables } from './check.ts'
import { connectTables } from './connect.ts'
import { floodTables } from './flood.ts'
import { usualOf, type Tables } from './option-flags.ts'
import { scenarioTable } from './scenario.ts'
import { serveTables } from './serve.ts'

const verbs: Record<string, Tables> = {
  serve: serveTables,
  connect: connectTables,
  flood: floodTables,
  bench: benchTables,
  check: checkTables,
  agent: agentTables,
  agents: agentsTables,
}

const code = (text: string) => (text === '' ? '' : `\`${text}\``)

function whereOf(row: Option<unknown>): string {
  const engines = engineNames.filter(name => isForEngine(row, name))
  const names = transportNames.filter(name => isForTransport(row, name))
  const others = transportNames.filter(name => !isForTransport(row, name))
  const some = others.length > 2 ? names.join(', ') : `not ${others.join(', ')}`
  return [
    ...(isForSomeEngines(row) ? [`engine ${engines.join(', ')}`] : []),
    ...(others.length > 0 ? [some] : []),
  ].join('; ')
}

function rowOf(row: Option<unknown>): string[] {
  const { flag, short, kind, help = '', condition } = row
  const dashed =
    `${short === undefined ? '' : `-${short}, `}--${flag} ${kind.placeholder}`.trimEnd()
  const unsaid = kind.choices && !help.includes(kind.choices.join(', ')) ? kind.choices : []
  const choices = unsaid.length > 0 ? ` (${unsaid.map(code).join(', ')})` : ''
  return [
    code(dashed),
    usualOf(row),
    help + choices,
    whereOf(row),
    condition ? condition.name : '',
  ].map(cell => cell.replaceAll('|', '\\|'))
}

/** The options that the page of their command has to name: all others have pages of their own. */
export const ownOptions: [page: string, rows: Option<unknown>[]][] = Object.entries(verbs).map(
  ([verb, tables]) => [
    verb === 'agent' ? 'agents' : verb,
    tables
      .filter(([title, rows]) => title === undefined && rows !== scenarioTable)
      .flatMap(([, rows]) => optionsIn(rows))
      .flatMap(([, row]) => (row.flag === undefined ? [] : [row])),
  ],
)

/** For each command a table; the last column only where results are compared. */
export const optionPages = (table: (head: string[], rows: string[][]) => string): string =>
  Object.entries(verbs)
    .map(([verb, tables]) => {
      const rows = tables
        .flatMap(([, options]) => optionsIn(options).map(([, row]) => row))
        .filter(({ flag }) => flag !== undefined)
        .map(rowOf)
      const head = ['option', 'default', 'meaning', 'where', 'compared as']
      const columns = rows.some(cells => cells.at(-1) !== '') ? head.length : head.length - 1
      const cut = rows.map(cells => cells.slice(0, columns))
      return `## yodel ${verb}\n\n${table(head.slice(0, columns), cut)}`
    })
    .join('\n\n')
