/** yodel flood: the same message, for ever. */
import type { Command } from '@commander-js/extra-typings'
import { formatAddress, type Address, type HostAddress } from '../vocabulary/address.ts'
import { usageError } from '../vocabulary/errors.ts'
import { flood, floodDefaults, type LoadRun } from '../bench.ts'
import { directionOption } from '../load/direction/options.ts'
import type { Health } from '../dashboard/health.ts'
import { floodOptions, type FloodOptions } from '../load/options.ts'
import { takeSnapshot } from '../metrics/snapshot.ts'
import { fromFlags, option } from '../options/form.ts'
import { isForTransport } from '../options/where.ts'
import type { LoadAbout } from '../report/live.ts'
import { loadText } from '../report/load.ts'
import { lowerBackgroundThreads } from '../threads/background.ts'
import { plural } from '../vocabulary/units.ts'
import { addressArgument, jsonOption } from './flags.ts'
import { exitCodes } from './exit.ts'
import { showLoad } from './live.ts'
import { nobodyThere } from './load-exit.ts'
import { addTables, type Tables } from './option-flags.ts'
import { canvas, leaveUnconnected, onInterrupt, print, tell } from './output.ts'
import { scenarioTable, withScenario } from './scenario.ts'
import { webAddress } from './watch-options.ts'

const { calling, ...own } = floodOptions
const directionTable = { direction: directionOption }
const probeOptions = {
  metrics: option(webAddress('what --metrics is for', '<address>'), {
    default: undefined,
    flag: 'metrics',
    help: 'a probe that stays: /metrics, /healthz and /readyz there; it reconnects by itself',
  }),
}
export const floodTables: Tables = [
  [undefined, scenarioTable],
  [undefined, own],
  [undefined, directionTable],
  [undefined, probeOptions],
  [undefined, jsonOption],
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
    const message = command.args.length < 2 ? (words['message'] ?? typed[1]) : typed[1]
    const { direction = 'echo' } = fromFlags(directionTable, flags)
    const { metrics } = fromFlags(probeOptions, flags)
    if (direction !== 'echo') {
      if (metrics) throw usageError('--metrics is not for --direction.', 'Leave it out.')
      const json = fromFlags(jsonOption, flags).json === true
      const { sendDirection } = await import('./direction.ts')
      const wanted = {
        command: 'flood',
        rows: floodOptions,
        json,
        ndjson: false,
        paths: [],
      } as const
      return sendDirection(address, flags, wanted)
    }
    const options: FloodOptions = { ...fromFlags(floodOptions, flags), message }
    const asJson = fromFlags(jsonOption, flags).json === true
    if (metrics === undefined) return send(address, options, asJson)
    if (isForTransport(floodOptions.reconnect, address.transport)) options.reconnect = true
    let run: LoadRun | undefined
    // Before anything is sent: the address may be in use.
    const pages = await openPages(metrics, formatAddress(address), () => run)
    const begun = (load: LoadRun) => {
      run = load
      tell(`metrics on ${pages.url}metrics`)
    }
    try {
      await send(address, options, asJson, begun)
    } finally {
      await pages.close()
    }
  })
}

async function send(
  address: Address,
  options: FloodOptions,
  asJson: boolean,
  onBegun: (run: LoadRun) => void = () => {},
): Promise<void> {
  lowerBackgroundThreads()
  const run = flood(address, options)
  const restore = onInterrupt(leaveUnconnected)
  const reached = await run.ready.finally(restore)
  onBegun(run)
  const interrupted = await untilFinished(run, {
    address: formatAddress(reached),
    connections: options.connections ?? floodDefaults.connections,
    warmupMs: 0,
    durationMs: options.durationMs ?? Infinity,
    count: options.count ?? Infinity,
  })
  const result = await run.finished
  print(asJson ? `${JSON.stringify(result)}\n` : loadText(result, canvas(process.stdout)))
  if (nobodyThere(result)) process.exitCode = exitCodes.network
  else if (result.verdict === 'fail') process.exitCode = exitCodes.failed
  else if (interrupted) process.exitCode = exitCodes.interrupted
}

/** What a probe says of itself. */
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

/** Shows what happens; whether it was ended by a signal. */
async function untilFinished(run: LoadRun, about: LoadAbout): Promise<boolean> {
  let interrupted = false
  const restore = onInterrupt(() => {
    interrupted = true
    run.stop()
  })
  // Only now, with the signal handlers in place: a reader of this line may send a signal at once.
  tell(
    `flooding ${about.address} over ${plural(about.connections, 'connection')}; ` +
      'Ctrl-C ends it with a report',
  )
  const stopShowing = showLoad(run, about)
  try {
    await run.finished
  } finally {
    stopShowing()
    restore()
  }
  return interrupted
}
