/** An outline in Markdown: the summary of a job in CI, or a comment. */
import { printable } from '../vocabulary/text.ts'
import type { Case, Outline } from './outline.ts'

export function markdown(outline: Outline): string {
  const { command, address, standing, because, cases, figures, notes, reproduce } = outline
  const blocks = [
    `## ${standing}: ${command} ${code(address)}`,
    listed(because),
    table(
      ['', 'what', 'measured'],
      cases.map(({ name, outcome, said }) => [words[outcome], code(name), plain(said)]),
    ),
    table(
      figures.map(([name]) => plain(name)),
      figures.length > 0 ? [figures.map(([, value]) => plain(value))] : [],
    ),
    listed(notes),
    reproduce === '' ? '' : `Again:\n\n${fenced(reproduce)}`,
    outline.startedAt === '' ? '' : `*${plain(outline.startedAt)}*`,
  ]
  return `${blocks.filter(block => block !== '').join('\n\n')}\n`
}

const words: Record<Case['outcome'], string> = {
  held: 'held',
  missed: '**MISSED**',
  invalid: '**INVALID**',
  'not asked': 'not asked',
  told: '',
}

const listed = (sentences: readonly string[]) =>
  sentences.map(sentence => `- ${plain(sentence)}`).join('\n')

const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  return [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')
}

/** Text that cannot be taken for marks, a mention or HTML: in Markdown each sign may be escaped. */
const plain = (text: string): string => printable(text).replaceAll(/[\\`*_[\]<>|~&#@!]/g, '\\$&')

/**
 * The text unchanged, between more backticks than it contains. (In a table a bar has to be
 * escaped.)
 */
function code(text: string): string {
  const safe = printable(text).replaceAll('|', '\\|')
  const quotes = '`'.repeat(longestOf(safe) + 1)
  return quotes.length > 1 ? `${quotes} ${safe} ${quotes}` : quotes + safe + quotes
}

function fenced(text: string): string {
  const safe = printable(text, { keepLines: true })
  const fence = '`'.repeat(Math.max(3, longestOf(safe) + 1))
  return `${fence}\n${safe}\n${fence}`
}

const longestOf = (text: string): number =>
  Math.max(0, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length))
