/** In what a result can be written: chosen by the ending of the file's name. */
import { usageError } from '../errors.ts'
import { loadCsv } from './csv.ts'
import { loadHgrm } from './hgrm.ts'
import { loadHtml } from './html.ts'
import type { RunResult } from './result.ts'

export type Format = (result: RunResult) => string

/** By ending; a new format is a line here. */
const formats: Record<string, Format> = {
  '.csv': loadCsv,
  '.hgrm': loadHgrm,
  '.html': loadHtml,
  '.json': result => `${JSON.stringify(result)}\n`,
}

export const endings = Object.keys(formats).join(', ')

/** @throws UserError if the ending is of no format */
export function formatFor(path: string): Format {
  const ending = /\.[^./\\]*$/.exec(path)?.[0].toLowerCase() ?? ''
  const format = Object.hasOwn(formats, ending) ? formats[ending] : undefined
  if (format) return format
  throw usageError(`The name ${path} does not say what to write.`, `It ends in one of ${endings}.`)
}
