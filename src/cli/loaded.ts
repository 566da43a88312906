/** bench --load: latency under load. */
import { measureLoaded } from '../bench/direction/loaded.ts'
import { loadedOptions } from '../load/direction/loaded.ts'
import { fromFlags, type Table } from '../options/form.ts'
import { loadedFormatFor } from '../report/formats.ts'
import { loadedText } from '../report/direction/loaded-text.ts'
import type { Address } from '../vocabulary/address.ts'
import { checkUsed } from './direction.ts'
import { exitCodes } from './exit.ts'
import { loadedLine, tellLoaded } from './loaded-seconds.ts'
import { canvas, leave, leaveUnconnected, onInterrupt, print, showLive, tell } from './output.ts'
import { drawsNothing } from './result-output.ts'
import { checkOutputs, saveResult } from './saving.ts'

interface Wanted {
  rows: Table
  json: boolean
  /** Whether to print a line of JSON for each second, and for the result. */
  ndjson: boolean
  paths: readonly string[]
}

export async function measureUnderLoad(
  address: Address,
  flags: Readonly<Record<string, unknown>>,
  { rows, json, ndjson, paths }: Wanted,
): Promise<void> {
  checkUsed(rows, loadedOptions, flags, 'load')
  const outputs = paths.map(path => ({ path, format: loadedFormatFor(path) }))
  checkOutputs(paths)
  const run = measureLoaded(address, fromFlags(loadedOptions, flags))
  let interrupted = false
  const restore = onInterrupt(() => {
    interrupted = true
    if (run.look().trips.opened === 0 && run.phase === 'idle') leaveUnconnected()
    // Nothing under load is known yet, so there is nothing to compare.
    if (run.phase !== 'loaded') {
      tell('interrupted before the path was full; nothing was measured under load')
      leave(exitCodes.interrupted)
    }
    run.stop()
  })
  const stopShowing = drawsNothing({ ndjson }) ? () => {} : showLive(loadedLine(run))
  const stopTelling = ndjson ? tellLoaded(run, print) : () => {}
  const result = await run.finished.finally(() => {
    stopTelling()
    stopShowing()
    restore()
  })
  const asJson = () => `${JSON.stringify(result)}\n`
  if (ndjson) print(`${JSON.stringify({ event: 'result', ...result })}\n`)
  else print(json ? asJson() : loadedText(result, canvas(process.stdout)))
  if (result.verdict === 'fail') process.exitCode = exitCodes.failed
  else if (interrupted) process.exitCode = exitCodes.interrupted
  await saveResult(outputs, [result], json || ndjson ? undefined : asJson)
}
