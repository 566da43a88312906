/** The formats of the result of a check: the ending of the file's name decides. */
import { outlined } from '../report/formats.ts'
import { usageError } from '../vocabulary/errors.ts'
import type { CheckResult } from './result.ts'

export type CheckFormat = (result: CheckResult) => string

/** A new format is a line here. It is loaded when it is asked for. */
const formats: Record<string, () => Promise<CheckFormat>> = {
  '.html': async () => (await import('./html.ts')).checkHtml,
  '.json': async () => result => `${JSON.stringify(result)}\n`,
  ...outlined(async () => (await import('./outline.ts')).outlineOfCheck),
}

export const checkEndings = Object.keys(formats).join(', ')

/**
 * What loads the format.
 * @throws UserError if the ending is of no format
 */
export function checkFormatFor(path: string): () => Promise<CheckFormat> {
  const ending = /\.[^./\\]*$/.exec(path)?.[0].toLowerCase() ?? ''
  const format = Object.hasOwn(formats, ending) ? formats[ending] : undefined
  if (format) return format
  throw usageError(
    `The name ${path} does not say what to write.`,
    `It ends in one of ${checkEndings}.`,
  )
}
