/** yodel merge: makes one result of the results of all slices of a load. */
import { realpathSync } from 'node:fs'
import { basename } from 'node:path'
import type { Command } from '@commander-js/extra-typings'
import { usageError } from '../vocabulary/errors.ts'
import { fileEndings, formatFor } from '../report/formats.ts'
import { loadText } from '../report/load-text.ts'
import { merge } from '../report/merge.ts'
import { readAllSaved } from './files.ts'
import { repeatable } from './flags.ts'
import { loadExit } from './load-exit.ts'
import { canvas, print } from './output.ts'
import { checkOutputs, saveResult } from './saving.ts'

export function completeMerge(bare: Command): void {
  bare
    .argument('<files...>', 'what `yodel bench ADDRESS --slice N/OF --output FILE.json` wrote')
    .option(
      '-o, --output <file>',
      `save the result; the ending decides the format: ${fileEndings}; repeatable`,
      repeatable(path => ({ path, format: formatFor(path) })),
    )
    .option('--json', 'the result as one JSON document')
    .action(async (files, { output = [], json = false }) => {
      checkOutputs(output.map(({ path }) => path))
      for (const { path } of output) refuseInput(path, files)
      const result = merge(
        await readAllSaved(files),
        files.map(file => (file === '-' ? 'stdin' : basename(file))),
      )
      const document = () => `${JSON.stringify(result)}\n`
      print(json ? document() : loadText(result, canvas(process.stdout)))
      process.exitCode = loadExit(result)
      await saveResult(output, [result], json ? undefined : document)
    })
}

/**
 * Refuses to write the result over a part: a part can be measured only once.
 * @throws UserError
 */
function refuseInput(path: string, files: readonly string[]): void {
  const real = realOf(path)
  if (real !== undefined && files.some(file => realOf(file) === real))
    throw usageError(`The output ${path} is one of the parts.`, 'Choose another name.')
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}
