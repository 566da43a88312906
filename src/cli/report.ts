/** yodel report: a saved result, as a page or as text. */
import type { Command } from '@commander-js/extra-typings'
import { directionFormat } from '../report/direction/result.ts'
import { loadedFormat } from '../report/direction/loaded.ts'
import { directionFormatFor, loadedFormatFor, roundsFormatFor } from '../report/formats.ts'
import { fileEndings, formatFor, type Format } from '../report/formats.ts'
import type { Canvas } from '../report/bars.ts'
import { readAny, type Saved } from '../report/read-any.ts'
import { roundsFormat } from '../report/rounds.ts'
import { contentOf, fileNameOf } from './files.ts'
import { canvas, print } from './output.ts'
import { saveAll } from './saving.ts'

export function completeReport(bare: Command): void {
  bare
    .argument('<file>', 'a result or rounds that bench or flood wrote as JSON; - for stdin')
    .option(
      '-o, --output <file>',
      `write to this file; its ending decides the format: ${fileEndings}`,
    )
    .action(async (file, { output }) => {
      // Checked before anything is read, so that a wrong name is reported at once.
      const format = output === undefined ? undefined : formatFor(output)
      const saved = readAny(await contentOf(file), fileNameOf(file))
      if (output === undefined) return print(await textOf(saved, canvas(process.stdout)))
      // A result from a pipe exists nowhere else, so it is printed if it cannot be saved.
      const rescue = file === '-' ? () => `${JSON.stringify(saved)}\n` : undefined
      const text = await writerOf(saved, output, format!)
      saveAll([{ path: output, text }], rescue)
    })
}

async function textOf(saved: Saved, on: Canvas): Promise<string> {
  switch (saved.format) {
    case roundsFormat: {
      const { compareRounds } = await import('../report/compare-rounds.ts')
      const { compareRoundsText } = await import('../report/compare-rounds-text.ts')
      return compareRoundsText(compareRounds(saved), on)
    }
    case directionFormat:
      return (await import('../report/direction/text.ts')).directionText(saved, on)
    case loadedFormat:
      return (await import('../report/direction/loaded-text.ts')).loadedText(saved, on)
    default:
      return (await import('../report/load-text.ts')).loadText(saved, on)
  }
}

async function writerOf(
  saved: Saved,
  output: string,
  format: () => Promise<Format>,
): Promise<() => string> {
  switch (saved.format) {
    case roundsFormat: {
      const write = await roundsFormatFor(output)()
      return () => write(saved)
    }
    case directionFormat: {
      const write = await directionFormatFor(output)()
      return () => write(saved)
    }
    case loadedFormat: {
      const write = await loadedFormatFor(output)()
      return () => write(saved)
    }
    default: {
      const write = await format()
      return () => write(saved)
    }
  }
}
