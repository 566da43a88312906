/** yodel compare: what differs between saved results; a claim, if they were measured in rounds. */
import type { Command } from '@commander-js/extra-typings'
import { usageError } from '../vocabulary/errors.ts'
import { compareRounds } from '../report/compare-rounds.ts'
import { compareRoundsText } from '../report/compare-rounds-text.ts'
import { compareRuns } from '../report/compare-runs.ts'
import { compareText } from '../report/compare-text.ts'
import { parseCondition, refuseChanges, type Condition } from '../report/fail-if.ts'
import { roundsFormat, type Rounds } from '../report/rounds.ts'
import { compareExit } from './exit.ts'
import { readAllSaved, readEither } from './files.ts'
import { repeatable } from './flags.ts'
import { canvas, print } from './output.ts'

export function completeCompare(bare: Command): void {
  bare
    .argument('<file>', 'rounds that bench --against wrote; or the result that is the baseline')
    .argument('[files...]', 'results to compare with it: differences, without a claim')
    .option(
      '--fail-if <condition>',
      "exit 1 if this holds: 'p99>+20%' (only rounds), 'errors>0'; repeatable",
      repeatable(parseCondition),
    )
    .option('--json', 'the comparison as one JSON document')
    .action(async (file, files, { failIf = [], json = false }) => {
      const document = await readEither(file)
      if (document.format === roundsFormat) {
        if (files.length > 0)
          throw usageError(
            `${file} has both sides already, so it must be the only file.`,
            'Sides that were measured at different times allow no claim.',
          )
        return printRounds(document, failIf, json)
      }
      if (files.length === 0)
        throw usageError(
          `${file} is a single result, and there is nothing to compare it with.`,
          'Name a second file, or rounds of `yodel bench ADDRESS --against ADDRESS`.',
        )
      refuseChanges(failIf)
      const names = [file, ...files]
      const results = [document, ...(await readAllSaved(files))]
      const comparison = compareRuns(results, names, failIf)
      print(json ? line(comparison) : compareText(comparison, canvas(process.stdout)))
      process.exitCode = compareExit(comparison)
    })
}

export function printRounds(rounds: Rounds, failIf: readonly Condition[], json: boolean): void {
  const comparison = compareRounds(rounds, failIf)
  print(json ? line(comparison) : compareRoundsText(comparison, canvas(process.stdout)))
  process.exitCode = compareExit(comparison)
}

const line = (document: object) => `${JSON.stringify(document)}\n`
