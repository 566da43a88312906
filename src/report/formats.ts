/** The formats of a result: the ending of the file's name decides. */
import { usageError } from '../vocabulary/errors.ts'
import type { LoadedResult } from './direction/loaded.ts'
import type { DirectionResult } from './direction/result.ts'
import type { Condition } from './fail-if.ts'
import type { FindMaxResult } from './find-max.ts'
import type { Outline } from './outline.ts'
import type { RunResult } from './result.ts'
import type { Rounds } from './rounds.ts'

export type Format = (result: RunResult) => string
export type RoundsFormat = (rounds: Rounds, failIf?: readonly Condition[]) => string

const json = async () => (result: object) => `${JSON.stringify(result)}\n`

/** Formats that need only a verdict and its cases: they are for whatever has an outline. */
const outlineFormats: Record<string, () => Promise<(outline: Outline) => string>> = {
  '.md': async () => (await import('./markdown.ts')).markdown,
  '.xml': async () => (await import('./junit.ts')).junit,
}

/** Formats with a row for each second, which a flood cannot have. */
const formatsOfSeconds: Record<string, () => Promise<Format>> = {
  '.csv': async () => (await import('./csv.ts')).loadCsv,
}

/** By ending; a new format is a line here. It is loaded when it is asked for. */
const formatsOfAny: Record<string, () => Promise<Format>> = {
  '.hgrm': async () => (await import('./hgrm.ts')).loadHgrm,
  '.html': async () => (await import('./html.ts')).loadHtml,
  '.json': json,
  ...outlined(async () => (await import('./outline.ts')).outlineOfRun),
}

const formats = { ...formatsOfSeconds, ...formatsOfAny }

export const fileEndings = Object.keys(formats).join(', ')
export const endingsOfAny = Object.keys(formatsOfAny).join(', ')

/**
 * The formats of rounds. (The seconds and percentiles of all their runs are too many for a
 * document.)
 */
const roundsFormats: Record<string, () => Promise<RoundsFormat>> = {
  '.html': async () => (await import('./rounds-html.ts')).roundsHtml,
  '.json': json,
  ...outlined(async () => (await import('./rounds-outline.ts')).outlineOfRounds),
}

/** The formats of outlines, for a result from which an outline can be made. */
export function outlined<A extends unknown[]>(
  load: () => Promise<(...of: A) => Outline>,
): Record<string, () => Promise<(...of: A) => string>> {
  const each = Object.entries(outlineFormats).map(([ending, format]) => [
    ending,
    async () => {
      const [outline, write] = await Promise.all([load(), format()])
      return (...of: A) => write(outline(...of))
    },
  ])
  return Object.fromEntries(each) as never
}

/** The formats of what was sent in one direction. */
const directionFormats: Record<string, () => Promise<(result: DirectionResult) => string>> = {
  '.html': async () => (await import('./direction/html.ts')).directionHtml,
  '.json': json,
  ...outlined(async () => (await import('./direction/outline.ts')).outlineOfDirection),
}

/** The formats of latency under load. */
const loadedFormats: Record<string, () => Promise<(result: LoadedResult) => string>> = {
  '.html': async () => (await import('./direction/loaded-html.ts')).loadedHtml,
  '.json': json,
  ...outlined(async () => (await import('./direction/outline.ts')).outlineOfLoaded),
}

/** The formats of a search for the highest rate. */
const findMaxFormats: Record<string, () => Promise<(result: FindMaxResult) => string>> = {
  '.json': json,
  ...outlined(async () => (await import('./find-max-outline.ts')).outlineOfFindMax),
}

const endingOf = (path: string): string => /\.[^./\\]*$/.exec(path)?.[0].toLowerCase() ?? ''

/** Whether its format has a row for each second. */
export const hasSeconds = (path: string): boolean => Object.hasOwn(formatsOfSeconds, endingOf(path))

/** What loads the format of a file's name. @throws UserError if no format has that ending */
const among =
  <F>(known: Record<string, F>, what: string) =>
  (path: string): F => {
    const ending = endingOf(path)
    const format = Object.hasOwn(known, ending) ? known[ending] : undefined
    if (format) return format
    const names = Object.keys(known).toSorted().join(', ')
    throw usageError(`${what} cannot be written into ${path}.`, `Its name ends in one of ${names}.`)
  }

export const roundsFormatFor = among(roundsFormats, 'Rounds')
export const directionFormatFor = among(directionFormats, 'A direction')
export const findMaxFormatFor = among(findMaxFormats, 'A search')
export const loadedFormatFor = among(loadedFormats, 'Latency under load')

/** Loads the format of a result, by the name of the file. */
export function formatFor(path: string): () => Promise<Format> {
  const ending = endingOf(path)
  const format = Object.hasOwn(formats, ending) ? formats[ending] : undefined
  if (format) return format
  throw usageError(
    `The name ${path} does not say what to write.`,
    `It ends in one of ${fileEndings}.`,
  )
}
