/** bench and flood with --direction: what they share. */
import { measureDirection, type DirectionRun } from '../bench/direction/run.ts'
import { directionOptions } from '../load/direction/options.ts'
import { fromFlags, optionsIn, type Table } from '../options/form.ts'
import { askedFor } from '../options/where.ts'
import { directionFormatFor } from '../report/formats.ts'
import { formatBits } from '../report/direction/bits.ts'
import { directionText } from '../report/direction/text.ts'
import { formatAddress, type Address } from '../vocabulary/address.ts'
import { usageError } from '../vocabulary/errors.ts'
import { formatDuration } from '../vocabulary/units.ts'
import { exitCodes } from './exit.ts'
import { tcpShown, tellSeconds } from './direction-seconds.ts'
import { canvas, leaveUnconnected, onInterrupt, print, showLive, tell } from './output.ts'
import { drawsNothing } from './result-output.ts'
import { checkOutputs, saveResult } from './saving.ts'

interface Wanted {
  command: 'bench' | 'flood'
  /** All options of the command. A typed option must make sense with --direction. */
  rows: Table
  json: boolean
  /** Whether to print a line of JSON for each second, and for the result. */
  ndjson: boolean
  /** Where to save the result. */
  paths: readonly string[]
}

/** @throws UserError for a typed option that would do nothing */
export function checkUsed(
  rows: Table,
  used: Table,
  flags: Readonly<Record<string, unknown>>,
  by: string,
): void {
  const known = new Set(optionsIn(used).map(([, { flag }]) => flag))
  const vain = askedFor(rows, fromFlags(rows, flags)).find(({ flag }) => !known.has(flag))
  if (vain) throw usageError(`--${vain.flag} is not for --${by}.`, 'Leave it out.')
}

export async function sendDirection(
  address: Address,
  flags: Readonly<Record<string, unknown>>,
  { command, rows, json, ndjson, paths }: Wanted,
): Promise<void> {
  checkUsed(rows, directionOptions, flags, 'direction')
  const outputs = paths.map(path => ({ path, format: directionFormatFor(path) }))
  checkOutputs(paths)
  const options = fromFlags(directionOptions, flags)
  const run = measureDirection(address, options, command)
  let interrupted = false
  let connected = false
  const onReady = (at: Address) => {
    connected = true
    if (command === 'bench') return
    const way = options.direction === 'both' ? 'both ways' : options.direction
    tell(`sending ${way}, ${formatAddress(at)}; Ctrl-C ends it with a report`)
  }
  run.ready.then(onReady, () => {})
  const restore = onInterrupt(() => {
    interrupted = true
    if (!connected) leaveUnconnected()
    run.stop()
  })
  const stopShowing = drawsNothing({ ndjson }) ? () => {} : showLive(liveLine(run))
  const stopTelling = ndjson ? tellSeconds(run, print) : () => {}
  const result = await run.finished.finally(() => {
    stopTelling()
    stopShowing()
    restore()
  })
  const text = () => `${JSON.stringify(result)}\n`
  if (ndjson) print(`${JSON.stringify({ event: 'result', ...result })}\n`)
  else print(json ? text() : directionText(result, canvas(process.stdout)))
  if (result.verdict === 'fail') process.exitCode = exitCodes.failed
  else if (interrupted) process.exitCode = exitCodes.interrupted
  await saveResult(outputs, [result], json || ndjson ? undefined : text)
}

/** The present rates: of sent bytes, and of bytes that the other end has confirmed. */
function liveLine(run: DirectionRun): () => string {
  const beganMs = performance.now()
  const tcp = tcpShown()
  let before = run.snapshot()
  return () => {
    const now = run.snapshot()
    const seconds = (now.atMs - before.atMs) / 1e3 || 1
    const rate = (of: (at: typeof now) => number) => formatBits((of(now) - of(before)) / seconds)
    const parts = [
      formatDuration(performance.now() - beganMs),
      `up ${rate(at => at.bytesConfirmed)} (sent ${rate(at => at.bytesOut)})`,
      `down ${rate(at => at.bytesVerified)}`,
      ...tcp(before, now),
    ]
    before = now
    return parts.join('  ')
  }
}
