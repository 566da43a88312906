/** yodel bench --against: two sides in turn, and whether they differ. */
import type { Address } from '../vocabulary/address.ts'
import { benchAgainst, type Rounds, type RoundsOptions } from '../bench/rounds.ts'
import type { RoundsOnly } from '../load/rounds-options.ts'
import { compareRounds, type RoundsComparison } from '../report/compare-rounds.ts'
import { compareRoundsText } from '../report/compare-rounds-text.ts'
import type { Condition } from '../report/fail-if.ts'
import { roundsFormatFor } from '../report/formats.ts'
import { compareExit, exitCodes } from './exit.ts'
import { canvas, onInterrupt, print, showLive, tell } from './output.ts'
import { checkOutputs, saveResult } from './saving.ts'

export interface RoundsOutput {
  json: boolean
  ndjson: boolean
  paths: string[]
}

export async function measureRounds(
  address: Address,
  load: RoundsOptions,
  { failIf = [], ...rounds }: RoundsOnly & { failIf?: Condition[] | undefined },
  output: RoundsOutput,
): Promise<void> {
  const outputs = output.paths.map(path => ({ path, format: roundsFormatFor(path) }))
  checkOutputs(output.paths)
  let doing = ''
  const run = benchAgainst(address, {
    ...load,
    ...rounds,
    onRun: ({ round, side }) => (doing = `round ${round}: ${side}`),
    onRound: round => output.ndjson && print(line({ event: 'round', ...round })),
  })
  let interrupted = false
  const restore = onInterrupt(() => {
    interrupted = true
    run.stop()
  })
  const stopShowing = showLive(() => doing)
  const document = await run.finished.finally(() => {
    stopShowing()
    restore()
  })
  if (document.rounds.length === 0) {
    tell('interrupted before a round was complete; nothing was measured')
    process.exitCode = exitCodes.interrupted
    return
  }
  const comparison = compareRounds(document, failIf)
  show(document, comparison, output)
  process.exitCode = interrupted ? exitCodes.interrupted : compareExit(comparison)
  const rescue = output.json || output.ndjson ? undefined : () => line(document)
  await saveResult(outputs, [document, failIf], rescue)
}

function show(document: Rounds, comparison: RoundsComparison, { json, ndjson }: RoundsOutput) {
  if (json) print(line(document))
  else if (ndjson) print(line({ event: 'comparison', ...comparison }))
  else print(compareRoundsText(comparison, canvas(process.stdout)))
}

const line = (document: object) => `${JSON.stringify(document)}\n`
