/** The table of docs/check-lab.md: what each question says of each pathology. */
import { sideOf, type Told } from './judge.ts'
import type { Pathology } from './pathologies/pathology.ts'

export interface Row {
  pathology: Pathology
  told: Told
  /** Both ends asked. */
  both?: Told
}

const marks: Record<string, string> = { ok: 'ok', differs: 'differs', fails: '**fails**' }

/** The page with its table made again. */
export function tableOf(rows: ReadonlyMap<string, Row>, page: string): string {
  const [before, rest] = page.split('<!-- pathologies -->')
  const [, behind] = rest!.split('<!-- end -->')
  const said = [
    '| the path | how it is made | question: finding | what check says | where, by both ends |',
    '| --- | --- | --- | --- | --- |',
    ...[...rows].map(line),
  ]
  const names = [...rows.values()][0]!.told.result.questions.map(({ name }) => name)
  const matrix = [
    `| | ${names.join(' | ')} |`,
    `| --- |${names.map(() => ' --- |').join('')}`,
    ...[...rows].map(([name, { told }]) => {
      const outcomes = new Map(told.result.questions.map(({ name, outcome }) => [name, outcome]))
      return `| ${name} | ${names.map(each => marks[outcomes.get(each)!] ?? '').join(' | ')} |`
    }),
  ]
  const tables = `\n\n${said.join('\n')}\n\n${matrix.join('\n')}\n\n`
  return `${before}<!-- pathologies -->${tables}<!-- end -->${behind}`
}

function line([name, { pathology, told, both }]: [string, Row]): string {
  const { question, finding, made, known } = pathology
  const asked = told.result.questions.find(each => each.name === question)
  const found = asked?.findings.find(each => each.name === finding)
  const said = (found?.said ?? asked?.said ?? '').replaceAll('|', '\\|')
  const side = both ? sideOf(both, pathology) : ''
  const missed = known === undefined ? '' : `not named: ${known}; it says: `
  return `| ${name} | ${made} | \`${question}\`: ${finding} | ${missed}${said} | ${side} |`
}
