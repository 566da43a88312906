/** A saved document of any kind that report shows. */
import { usageError } from '../vocabulary/errors.ts'
import { loadedFormat, type LoadedResult } from './direction/loaded.ts'
import { brokenOfDirections, isOfDirections, type OfDirections } from './direction/read.ts'
import { checkDocument, checkResult, damagedAt, formatOf, parsed, remedy } from './read.ts'
import type { RunResult } from './result.ts'
import type { Rounds } from './rounds.ts'

export type Saved = RunResult | Rounds | OfDirections

/**
 * @param name the name of the file, for the message
 * @throws UserError if it is not such a document, or has another format
 */
export function readAny(text: string, name: string): Saved {
  const value = parsed(text, name)
  const format = formatOf(value)
  if (!isOfDirections(format)) return checkDocument(value, name)
  const broken = brokenOfDirections(value, format)
  if (broken !== undefined) throw usageError(damagedAt(name, broken, format), remedy)
  if (format === loadedFormat)
    for (const part of ['idle', 'loaded'] as const)
      checkResult((value as LoadedResult)[part], `${name} (${part})`)
  return value as OfDirections
}
