/** The table of docs/check-lab.md: what each question says of each pathology. */
import type * as Questions from '../../src/checks/question-table.ts'
import { built } from '../program.ts'
import { sideOf, type Told } from './judge.ts'
import type { Pathology } from './pathologies/pathology.ts'

export interface Row {
  pathology: Pathology
  told: Told
  /** Both ends asked. */
  both?: Told
}

const { questionNames } = (await import(built('checks/question-table.js'))) as typeof Questions
const marks: Record<string, string> = { ok: 'ok', differs: 'differs', fails: '**fails**' }

/** The page with its tables made again: rows of paths that were not run stay as they are. */
export function tableOf(
  rows: ReadonlyMap<string, Row>,
  all: readonly string[],
  page: string,
): string {
  const [before, rest] = page.split('<!-- pathologies -->')
  const [tables, behind] = rest!.split('<!-- end -->')
  const [, ...old] = tables!.split(/\n\n+/).map(linesByName)
  const names = questionNames
  const kept = (table: number, make: (row: [string, Row]) => string) =>
    all.flatMap(name => {
      const row = rows.get(name)
      return row ? make([name, row]) : (old[table]?.get(name) ?? [])
    })
  const said = [
    '| the path | how it is made | question: finding | what check says | where, by both ends |',
    '| --- | --- | --- | --- | --- |',
    ...kept(0, line),
  ]
  const matrix = [
    `| | ${names.join(' | ')} |`,
    `| --- |${names.map(() => ' --- |').join('')}`,
    ...kept(1, ([name, { told }]) => {
      const outcomes = new Map(told.result.questions.map(({ name, outcome }) => [name, outcome]))
      return `| ${name} | ${names.map(each => marks[outcomes.get(each)!] ?? '').join(' | ')} |`
    }),
  ]
  const made = `\n\n${said.join('\n')}\n\n${matrix.join('\n')}\n\n`
  return `${before}<!-- pathologies -->${made}<!-- end -->${behind}`
}

const linesByName = (table: string): Map<string, string> =>
  new Map(table.split('\n').map(row => [/^\| ([^|]*?) \|/.exec(row)?.[1] ?? '', row]))

function line([name, { pathology, told, both }]: [string, Row]): string {
  const { question, finding, made, known } = pathology
  const asked = told.result.questions.find(each => each.name === question)
  const found = asked?.findings.find(each => each.name === finding)
  const said = (found?.said ?? asked?.said ?? '').replaceAll('|', '\\|')
  const side = both ? sideOf(both, pathology) : ''
  const missed = known === undefined ? '' : `not named: ${known}; it says: `
  return `| ${name} | ${made} | \`${question}\`: ${finding} | ${missed}${said} | ${side} |`
}
