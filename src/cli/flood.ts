/** yodel flood: the same message, for ever. */
import type { Command } from '@commander-js/extra-typings'
import { formatAddress, type Address, type HostAddress } from '../vocabulary/address.ts'
import { usageError } from '../vocabulary/errors.ts'
import { flood, floodDefaults, type LoadRun } from '../bench.ts'
import { directionOption, floodDirectionOptions } from '../load/direction/options.ts'
import type { Health } from '../dashboard/health.ts'
import { floodOptions, type FloodOptions } from '../load/options.ts'
import { takeSnapshot } from '../metrics/snapshot.ts'
import { fromFlags, option } from '../options/form.ts'
import { askedFor, isForTransport } from '../options/where.ts'
import { hasSeconds } from '../report/formats.ts'
import type { LoadAbout } from '../report/live.ts'
import type { RunResult } from '../report/result.ts'
import { lowerBackgroundThreads } from '../threads/background.ts'
import { plural } from '../vocabulary/units.ts'
import { addressArgument } from './flags.ts'
import { exitCodes } from './exit.ts'
import { showLoad, streamIntervals } from './live.ts'
import { nobodyThere } from './load-exit.ts'
import { addTables, type Tables } from './option-flags.ts'
import { leaveUnconnected, onInterrupt, print, tell } from './output.ts'
import {
  floodOutputOptions,
  drawsNothing,
  outputFrom,
  printResult,
  saveOutput,
} from './result-output.ts'
import type { OutputOptions } from './result-output.ts'
import { checkOutputs } from './saving.ts'
import { scenarioTable, withScenario } from './scenario.ts'
import { webAddress } from './watch-options.ts'

const { calling, ...own } = floodOptions
const directionTable = { direction: directionOption, ...floodDirectionOptions }
const probeOptions = {
  metrics: option(webAddress('what --metrics is for', '<address>'), {
    default: undefined,
    flag: 'metrics',
    help: 'run as a probe that reconnects, with /metrics, /healthz and /readyz at this address',
  }),
}
export const floodTables: Tables = [
  [undefined, scenarioTable],
  [undefined, own],
  [undefined, directionTable],
  [undefined, probeOptions],
  [undefined, floodOutputOptions],
  ['Transports:', { calling }],
]

export function completeFlood(bare: Command): void {
  const command = bare
    .addArgument(addressArgument('where to send it'))
    .argument('[message]', 'what to send', 'Hello!\n')
  addTables(command, floodTables)
  command.action(async (...typed) => {
    const given = { address: typed[0], flags: typed[2] }
    const names = ['message']
    const { address, flags, words } = await withScenario(command, floodTables, given, names)
    const said = command.args.length < 2 ? words['message'] : typed[1]
    const { direction = 'echo' } = fromFlags(directionTable, flags)
    const { metrics } = fromFlags(probeOptions, flags)
    const output = outputFrom(flags)
    if (direction !== 'echo') {
      if (metrics) throw usageError('--metrics is not for --direction.', 'Leave it out.')
      if (said !== undefined)
        throw usageError('--direction sends its own bytes, no message.', 'Leave the message out.')
      const { sendDirection } = await import('./direction.ts')
      const { json, ndjson, files } = output
      const paths = files.map(({ path }) => path)
      const rows = { ...floodOptions, ...floodDirectionOptions }
      return sendDirection(address, flags, { command: 'flood', rows, json, ndjson, paths })
    }
    checkEcho(flags, output)
    const options: FloodOptions = { ...fromFlags(floodOptions, flags), message: said ?? typed[1] }
    if (metrics === undefined) return send(address, options, output)
    if (isForTransport(floodOptions.reconnect, address.transport)) options.reconnect = true
    let run: LoadRun | undefined
    // Opened before anything is sent, since the address may be in use.
    const pages = await openPages(metrics, formatAddress(address), () => run)
    const begun = (load: LoadRun) => {
      run = load
      tell(`metrics on ${pages.url}metrics`)
    }
    try {
      await send(address, options, output, begun)
    } finally {
      await pages.close()
    }
  })
}

/** @throws UserError for options that only --direction has */
function checkEcho(flags: Readonly<Record<string, unknown>>, { files }: OutputOptions): void {
  const [vain] = askedFor(floodDirectionOptions, fromFlags(floodDirectionOptions, flags))
  if (vain) throw usageError(`--${vain.flag} is for --direction.`, 'Add --direction, or use bench.')
  const table = files.find(({ path }) => hasSeconds(path))
  if (table)
    throw usageError(
      `A flood keeps no seconds, so ${table.path} would have no rows.`,
      'Use --ndjson, or bench.',
    )
  checkOutputs(files.map(({ path }) => path))
}

async function send(
  address: Address,
  options: FloodOptions,
  output: OutputOptions,
  onBegun: (run: LoadRun) => void = () => {},
): Promise<void> {
  lowerBackgroundThreads()
  const run = flood(address, options)
  // One listener for both: between two of them a signal could get lost.
  let interrupted = false
  let connected = false
  const restore = onInterrupt(() => {
    if (!connected) leaveUnconnected()
    interrupted = true
    run.stop()
  })
  run.finished.finally(restore).catch(() => {})
  const reached = await run.ready
  connected = true
  onBegun(run)
  if (output.ndjson) streamIntervals(run, print)
  const about = {
    address: formatAddress(reached),
    connections: options.connections ?? floodDefaults.connections,
    warmupMs: 0,
    durationMs: options.durationMs ?? Infinity,
    count: options.count ?? Infinity,
  }
  const result = await shown(run, about, drawsNothing(output))
  printResult(result, output)
  if (nobodyThere(result)) process.exitCode = exitCodes.network
  else if (result.verdict === 'fail') process.exitCode = exitCodes.failed
  else if (interrupted) process.exitCode = exitCodes.interrupted
  await saveOutput(result, output)
}

/** Opens the metrics and health pages of a probe. */
async function openPages(
  address: HostAddress,
  target: string,
  run: () => LoadRun | undefined,
): Promise<Health> {
  const { loadMetricsText, serveLoadMetrics } = await import('../dashboard/load-metrics.ts')
  const snapshot = () => run()?.snapshot() ?? takeSnapshot([])
  return serveLoadMetrics({
    address,
    why: () => (snapshot().open > 0 ? undefined : 'not connected'),
    text: () => loadMetricsText(snapshot(), target),
    onDefect: error => tell(`a defect of yodel, please report it: ${String(error)}`),
  })
}

/** Shows a run until its end. */
async function shown(run: LoadRun, about: LoadAbout, silent: boolean): Promise<RunResult> {
  tell(
    `flooding ${about.address} over ${plural(about.connections, 'connection')}; ` +
      'Ctrl-C ends it with a report',
  )
  const stopShowing = silent ? () => {} : showLoad(run, about)
  return await run.finished.finally(stopShowing)
}
