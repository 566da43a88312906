/** yodel report: a saved result, as a page or as text. */
import type { Command } from '@commander-js/extra-typings'
import { endings, formatFor, roundsFormatFor, type Format } from '../report/formats.ts'
import { loadText } from '../report/load.ts'
import type { RunResult } from '../report/result.ts'
import { roundsFormat, type Rounds } from '../report/rounds.ts'
import { readEither } from './files.ts'
import { canvas, print } from './output.ts'
import { saveAll } from './saving.ts'

export function completeReport(bare: Command): void {
  bare
    .argument('<file>', 'a result or rounds that bench or flood wrote as JSON; - for stdin')
    .option('-o, --output <file>', `write to this file; its ending decides the format: ${endings}`)
    .action(async (file, { output }) => {
      // Checked before anything is read, so that a wrong name is reported at once.
      const format = output === undefined ? undefined : formatFor(output)
      const saved = readEither(file)
      if (output === undefined) return show(saved)
      // A result read from a pipe exists nowhere else.
      const rescue = file === '-' ? () => `${JSON.stringify(saved)}\n` : undefined
      const text = await writerOf(saved, output, format!)
      saveAll([{ path: output, text }], rescue)
    })
}

async function show(saved: RunResult | Rounds): Promise<void> {
  const on = canvas(process.stdout)
  if (saved.format !== roundsFormat) return print(loadText(saved, on))
  const { compareRounds } = await import('../report/compare-rounds.ts')
  const { compareRoundsText } = await import('../report/compare-rounds-text.ts')
  print(compareRoundsText(compareRounds(saved), on))
}

async function writerOf(
  saved: RunResult | Rounds,
  output: string,
  format: () => Promise<Format>,
): Promise<() => string> {
  if (saved.format === roundsFormat) {
    const write = await roundsFormatFor(output)()
    return () => write(saved)
  }
  const write = await format()
  return () => write(saved)
}
