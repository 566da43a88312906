/** yodel report: a saved result, as a page or as text. */
import type { Command } from '@commander-js/extra-typings'
import { endings, formatFor } from '../report/formats.ts'
import { loadText } from '../report/load.ts'
import { readSaved } from './files.ts'
import { canvas, print } from './output.ts'
import { saveAll } from './saving.ts'

export function completeReport(bare: Command): void {
  bare
    .argument('<file>', 'what bench or flood wrote with --json; - for stdin')
    .option('-o, --output <file>', `write it there; the ending says how: ${endings}`)
    .action(async (file, { output }) => {
      // Checked before anything is read: a wrong name is the quickest to correct.
      const format = output === undefined ? undefined : formatFor(output)
      const result = readSaved(file)
      if (output === undefined || !format) return print(loadText(result, canvas(process.stdout)))
      // A result that came through a pipe is saved nowhere else.
      const rescue = file === '-' ? () => `${JSON.stringify(result)}\n` : undefined
      const write = await format()
      saveAll([{ path: output, text: () => write(result) }], rescue)
    })
}
