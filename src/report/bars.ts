/** Bars for a terminal: as wide as it is, readable without colour, and in ASCII where necessary. */

/** What the terminal can show. */
export interface Canvas {
  columns: number
  /** Whether block characters can be shown. */
  unicode: boolean
  /** Whether the words of a verdict have a colour; not if undefined. */
  colour?: boolean
}

export interface Bar {
  label: string
  /** What the length of the bar stands for; undefined where it is not known. */
  value: number | undefined
  /** The value as text. */
  text: string
}

/** One to seven eighths of a full block. */
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** A title, and a line for each bar. The longest one ends at the right edge. */
export function barBlock(title: string, bars: Bar[], { columns, unicode }: Canvas): string[] {
  const width = (of: (bar: Bar) => string) => Math.max(0, ...bars.map(bar => of(bar).length))
  const labelWidth = width(({ label }) => label)
  const textWidth = width(({ text }) => text)
  const room = Math.max(1, columns - labelWidth - textWidth - 6)
  const longest = Math.max(0, ...bars.map(({ value = 0 }) => value))
  const lines = bars.map(({ label, value = 0, text }) => {
    const length = longest > 0 ? (Math.max(0, value) / longest) * room : 0
    const line = `  ${label.padEnd(labelWidth)}  ${text.padStart(textWidth)}  `
    return (line + (unicode ? blocks(length) : hashes(length))).trimEnd()
  })
  return [title, ...lines]
}

/** A value above 0 is never drawn as an empty bar. */
function blocks(length: number): string {
  const parts = length > 0 ? Math.max(1, Math.round(length * 8)) : 0
  return '█'.repeat(parts >> 3) + eighths[parts & 7]!
}

const hashes = (length: number): string =>
  '#'.repeat(length > 0 ? Math.max(1, Math.round(length)) : 0)

/** Text broken between words into lines; a word that is longer than a line stays whole. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`
    if (lines.length > 0 && longer.length <= columns) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}
