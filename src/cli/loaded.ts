/** bench --load: latency under load. */
import { measureLoaded } from '../bench/direction/loaded.ts'
import { loadedOptions } from '../load/direction/loaded.ts'
import { fromFlags, type Table } from '../options/form.ts'
import { loadedText } from '../report/direction/loaded-text.ts'
import type { Address } from '../vocabulary/address.ts'
import { usageError } from '../vocabulary/errors.ts'
import { checkUsed } from './direction.ts'
import { exitCodes } from './exit.ts'
import { canvas, leaveUnconnected, onInterrupt, print, showLive } from './output.ts'
import { checkOutputs, saveAll } from './saving.ts'

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
  const other = paths.find(path => !/\.(json|html)$/.test(path))
  if (other !== undefined)
    throw usageError(`This cannot be written into ${other}.`, 'The name ends in .html or .json.')
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
  if (paths.length === 0) return
  const { loadedHtml } = await import('../report/direction/loaded-html.ts')
  saveAll(
    paths.map(path => ({
      path,
      text: path.endsWith('.html') ? () => loadedHtml(result) : asJson,
    })),
  )
}
