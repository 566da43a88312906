/** In what a result can be written: chosen by the ending of the file's name. */
import { usageError } from '../vocabulary/errors.ts'
import type { RunResult } from './result.ts'
import type { Rounds } from './rounds.ts'

export type Format = (result: RunResult) => string
export type RoundsFormat = (rounds: Rounds) => string

/** By ending; a new format is a line here. It is loaded when it is asked for. */
const formats: Record<string, () => Promise<Format>> = {
  '.csv': async () => (await import('./csv.ts')).loadCsv,
  '.hgrm': async () => (await import('./hgrm.ts')).loadHgrm,
  '.html': async () => (await import('./html.ts')).loadHtml,
  '.json': async () => result => `${JSON.stringify(result)}\n`,
}

export const endings = Object.keys(formats).join(', ')

/** Of rounds: the seconds or percentiles of that many runs make no document. */
const roundsFormats: Record<string, () => Promise<RoundsFormat>> = {
  '.html': async () => (await import('./rounds-html.ts')).roundsHtml,
  '.json': async () => rounds => `${JSON.stringify(rounds)}\n`,
}

const endingOf = (path: string): string => /\.[^./\\]*$/.exec(path)?.[0].toLowerCase() ?? ''

/**
 * What loads the format.
 * @throws UserError if the ending is of no format
 */
export function formatFor(path: string): () => Promise<Format> {
  const ending = endingOf(path)
  const format = Object.hasOwn(formats, ending) ? formats[ending] : undefined
  if (format) return format
  throw usageError(`The name ${path} does not say what to write.`, `It ends in one of ${endings}.`)
}

/** The same of rounds. */
export function roundsFormatFor(path: string): () => Promise<RoundsFormat> {
  const ending = endingOf(path)
  const format = Object.hasOwn(roundsFormats, ending) ? roundsFormats[ending] : undefined
  if (format) return format
  const known = Object.keys(roundsFormats).join(', ')
  throw usageError(`Rounds cannot be written into ${path}.`, `Its name ends in one of ${known}.`)
}
