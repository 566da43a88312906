/**
 * Colour for the word of a verdict. The word itself says the same, so nothing is lost without
 * colour.
 */
import type { Canvas } from './bars.ts'

/** As ECMA-48 numbers them (SGR). */
const colours = { green: 32, red: 31, yellow: 33 } as const
export type Colour = keyof typeof colours

const words: Record<string, Colour> = {
  PASS: 'green',
  FAIL: 'red',
  FAILED: 'red',
  MISSED: 'red',
  INVALID: 'yellow',
}

export const coloured = (word: string, colour: Colour, canvas: Pick<Canvas, 'colour'>): string =>
  canvas.colour === true ? `\u001b[1;${colours[colour]}m${word}\u001b[0m` : word

/** The first word of a verdict in this line. */
export const tinted = (line: string, canvas: Pick<Canvas, 'colour'>): string =>
  line.replace(/\b(?:PASS|FAILED|FAIL|MISSED|INVALID)\b/, word =>
    coloured(word, words[word]!, canvas),
  )
