/** The verdict of a report: with its reasons in the first lines, and again in the last one. */
import { type Canvas } from './bars.ts'
import { labelColumns, labelled, paragraph, shown } from './lines.ts'
import type { Standing } from './standing.ts'
import { tinted } from './tint.ts'

export interface Said {
  standing: Standing
  /** Sentences; the first is the most important. */
  because: readonly string[]
  /** What a pass means. */
  passed: string
}

/** The most lines of reasons, so that the important figures follow on the first screen. */
const linesMax = 3

const textOf = ({ standing, because, passed }: Said): string => {
  if (because.length > 0) return `${standing}: ${because.join(' ')}`
  return standing === 'PASS' ? `${standing}: ${passed}` : standing
}

/**
 * @returns the lines, and whether some reasons did not fit: then they have to be shown elsewhere
 */
export function verdictFirst(said: Said, canvas: Canvas): { lines: string[]; isCut: boolean } {
  const all = paragraph(textOf(said), canvas.columns, canvas)
  const isCut = all.length > linesMax
  const lines = all.slice(0, linesMax)
  if (isCut) {
    const last = lines[linesMax - 1]!
    const room = canvas.columns - ' ...'.length
    // Not within a word, if there are several.
    const whole = last.length <= room ? last : last.slice(0, room + 1).replace(/ \S*$/, '')
    lines[linesMax - 1] = `${whole.slice(0, room)} ...`
  }
  lines[0] = tinted(lines[0]!, canvas)
  return { lines, isCut }
}

/** One line, for the end of a log. */
export function verdictLast(said: Said, canvas: Canvas): string[] {
  const whole = shown(textOf(said), canvas)
  const fits = whole.length <= canvas.columns - labelColumns
  const text = fits ? whole : `${said.standing}: see above`
  return labelled('verdict', [text]).map(line => tinted(line, canvas))
}

/** The verdict without a label. */
export const verdictAlone = (said: Said, canvas: Canvas): string => {
  const whole = shown(textOf(said), canvas)
  const text = whole.length <= canvas.columns ? whole : `${said.standing}: see above`
  return tinted(text, canvas)
}
