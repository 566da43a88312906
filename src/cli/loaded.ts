/** bench --load: latency under load. */
import { measureLoaded } from '../bench/direction/loaded.ts'
import { loadedOptions } from '../load/direction/loaded.ts'
import { fromFlags, type Table } from '../options/form.ts'
import { loadedFormatFor } from '../report/formats.ts'
import { loadedText } from '../report/direction/loaded-text.ts'
import type { Address } from '../vocabulary/address.ts'
import { checkUsed } from './direction.ts'
import { exitCodes } from './exit.ts'
import { canvas, leaveUnconnected, onInterrupt, print, showLive } from './output.ts'
import { checkOutputs, saveResult } from './saving.ts'

interface Wanted {
  rows: Table
  json: boolean
  paths: readonly string[]
}

export async function measureUnderLoad(
  address: Address,
  flags: Readonly<Record<string, unknown>>,
  { rows, json, paths }: Wanted,
): Promise<void> {
  checkUsed(rows, loadedOptions, flags, 'load')
  const outputs = paths.map(path => ({ path, format: loadedFormatFor(path) }))
  checkOutputs(paths)
  const run = measureLoaded(address, fromFlags(loadedOptions, flags))
  const restore = onInterrupt(() => leaveUnconnected())
  const stopShowing = showLive(() => `${run.phase}  ${Math.round(run.share * 100)}%`)
  const result = await run.finished.finally(() => {
    stopShowing()
    restore()
  })
  const asJson = () => `${JSON.stringify(result)}\n`
  print(json ? asJson() : loadedText(result, canvas(process.stdout)))
  if (result.verdict === 'fail') process.exitCode = exitCodes.failed
  await saveResult(outputs, [result], json ? undefined : asJson)
}
