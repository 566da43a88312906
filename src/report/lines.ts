/** Text set in lines: entries with a label, parts that stay whole, tables that fit their width. */
import { wrap, type Canvas } from './bars.ts'
import { printable } from '../vocabulary/text.ts'

/** Labels are in a column of this width, with what they label to the right of it. */
export const labelColumns = 14

/** The terminal with at least 40 columns: no text is made for fewer. */
export const usable = ({ columns, ...canvas }: Canvas): Canvas => ({
  ...canvas,
  columns: Math.max(40, Math.floor(columns)),
})

/** Text as this terminal can show it, without control characters. */
export function shown(text: string, { unicode }: Canvas): string {
  const safe = printable(text)
  if (unicode) return safe
  return safe
    .replaceAll('×', 'x')
    .replaceAll(/[^ -~]/gu, character => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/** Breaks text between words; a word that is longer than a line is cut. */
export function paragraph(text: string, columns: number, canvas: Canvas): string[] {
  const cut = (line: string) =>
    Array.from({ length: Math.ceil(line.length / columns) }, (_, n) =>
      line.slice(n * columns, (n + 1) * columns),
    )
  return wrap(shown(text, canvas), columns).flatMap(cut)
}

/**
 * Joins parts by commas, and breaks lines only between parts (unless a part is longer than a line).
 */
export function flow(parts: string[], columns: number, canvas: Canvas): string[] {
  const lines: string[] = []
  for (const [index, part] of parts.entries()) {
    const ended = shown(part, canvas) + (index < parts.length - 1 ? ',' : '')
    const longer = `${lines.at(-1)} ${ended}`
    if (lines.length > 0 && longer.length <= columns) lines[lines.length - 1] = longer
    else lines.push(...paragraph(ended, columns, canvas))
  }
  return lines
}

/** `  label       text`, further lines below the text. */
export const labelled = (label: string, lines: string[]): string[] =>
  lines.map((line, n) => `  ${(n === 0 ? label : '').padEnd(labelColumns - 2)}${line}`.trimEnd())

/** A label with a sentence, and one with parts that stay whole. */
export const entry = (label: string, text: string, canvas: Canvas): string[] =>
  labelled(label, paragraph(text, canvas.columns - labelColumns, canvas))
export const listing = (label: string, parts: string[], canvas: Canvas): string[] =>
  labelled(label, flow(parts, canvas.columns - labelColumns, canvas))

export interface Column {
  title: string
  cells: string[]
  /** If not all columns fit, those with the highest rank are left out. */
  rank: number
}

/** A table with numbers on the right of their labels, and as many columns as there is room for. */
export function table(labels: string[], wanted: Column[], { columns }: Canvas): string[] {
  const widthOf = ({ title, cells }: Column) =>
    2 + Math.max(...[title, ...cells].map(c => c.length))
  let kept = wanted
  const width = () => kept.reduce((sum, column) => sum + widthOf(column), labelColumns - 2)
  while (kept.length > 1 && width() > columns) {
    const last = Math.max(...kept.map(({ rank }) => rank))
    kept = kept.filter(({ rank }) => rank !== last)
  }
  const line = (label: string, cell: (column: Column) => string) =>
    `  ${label}`.padEnd(labelColumns - 2) +
    kept.map(column => cell(column).padStart(widthOf(column))).join('')
  return [
    line('', ({ title }) => title),
    ...labels.map((label, row) => line(label, ({ cells }) => cells[row]!)),
  ]
}
