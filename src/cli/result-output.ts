/** Where the result of bench and flood goes: to stdout, and into files. */
import { usageError } from '../vocabulary/errors.ts'
import { fromFlags, option, type Kind, type ResolvedOf } from '../options/form.ts'
import { list, whether } from '../options/kinds.ts'
import { fileEndings, endingsOfAny, formatFor } from '../report/formats.ts'
import { loadText } from '../report/load-text.ts'
import { resultLine } from '../report/ndjson.ts'
import type { RunResult } from '../report/result.ts'
import { jsonOption } from './flags.ts'
import { canvas, print } from './output.ts'
import { saveResult } from './saving.ts'

const fileFor = (path: string) => ({ path, format: formatFor(path) })

const helpFor = (names: string) =>
  `save the result; the ending decides the format: ${names}; repeatable`

const file: Kind<ReturnType<typeof fileFor>> = {
  placeholder: '<file>',
  parse: fileFor,
  format: ({ path }) => [path],
  mistake: () => undefined,
}

export const outputOptions = {
  ...jsonOption,
  ndjson: option(whether(), {
    default: false,
    flag: 'ndjson',
    help: 'a line of JSON for each second, and for the result',
  }),
  files: option(list(file), {
    default: [] as ReturnType<typeof fileFor>[],
    short: 'o',
    flag: 'output',
    help: helpFor(fileEndings),
  }),
}
/** The output options of flood. It keeps no figures of seconds, so it has no CSV. */
export const floodOutputOptions = {
  ...outputOptions,
  files: { ...outputOptions.files, help: helpFor(endingsOfAny) },
}
export type OutputOptions = ResolvedOf<typeof outputOptions>

/** @throws UserError if two of them cannot be used together */
export function outputFrom(flags: Readonly<Record<string, unknown>>): OutputOptions {
  const { json = false, ndjson = false, files = [] } = fromFlags(outputOptions, flags)
  if (json && ndjson) throw usageError('--json and --ndjson cannot be used together.')
  return { json, ndjson, files }
}

/** Lines of JSON on the same terminal would be drawn over, so nothing is drawn. */
export const drawsNothing = ({ ndjson }: Pick<OutputOptions, 'ndjson'>): boolean =>
  ndjson && process.stdout.isTTY

/** Prints the result in the wanted form. */
export function printResult(result: RunResult, { json, ndjson }: OutputOptions): void {
  if (ndjson) print(resultLine(result))
  else print(json ? documentOf(result) : loadText(result, canvas(process.stdout)))
}

export const saveOutput = (
  result: RunResult,
  { json, ndjson, files }: OutputOptions,
): Promise<void> =>
  saveResult(files, [result], json || ndjson ? undefined : () => documentOf(result))

const documentOf = (result: object): string => `${JSON.stringify(result)}\n`
