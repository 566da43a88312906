/** yodel compare: what changed between saved results, and whether that is more than chance. */
import type { Command } from '@commander-js/extra-typings'
import { compareRuns } from '../report/compare-runs.ts'
import { compareText } from '../report/compare-text.ts'
import { parseCondition } from '../report/fail-if.ts'
import { exitCodes } from './exit.ts'
import { readSaved } from './files.ts'
import { repeatable } from './flags.ts'
import { canvas, print } from './output.ts'

export function completeCompare(bare: Command): void {
  bare
    .argument('<baseline>', 'a file that bench --json wrote')
    .argument('<files...>', 'what to compare with it')
    .option(
      '--fail-if <condition>',
      "exit 1 if it holds, for example 'p99>+10%' or 'errors>0'; repeatable",
      repeatable(parseCondition),
    )
    .option('--json', 'the comparison as one JSON document')
    .action((baseline, files, { failIf = [], json }) => {
      const names = [baseline, ...files]
      const comparison = compareRuns(names.map(readSaved), names, failIf)
      print(
        json ? `${JSON.stringify(comparison)}\n` : compareText(comparison, canvas(process.stdout)),
      )
      if (comparison.verdict === 'fail') process.exitCode = exitCodes.failed
    })
}
