/** yodel flood: the same message, for ever. */
import type { Command } from '@commander-js/extra-typings'
import { formatAddress } from '../vocabulary/address.ts'
import { flood, floodDefaults, type LoadRun } from '../bench.ts'
import { directionOption } from '../load/direction/options.ts'
import { floodOptions } from '../load/options.ts'
import { fromFlags } from '../options/form.ts'
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

const { calling, ...own } = floodOptions
const directionTable = { direction: directionOption }
export const floodTables: Tables = [
  [undefined, own],
  [undefined, directionTable],
  [undefined, jsonOption],
  ['Transports:', { calling }],
]

export function completeFlood(bare: Command): void {
  const command = bare
    .addArgument(addressArgument('where to send it'))
    .argument('[message]', 'what to send', 'Hello!\n')
  addTables(command, floodTables)
  command.action(async (address, message, flags) => {
    const { direction = 'echo' } = fromFlags(directionTable, flags)
    if (direction !== 'echo') {
      const json = fromFlags(jsonOption, flags).json === true
      const { sendDirection } = await import('./direction.ts')
      const wanted = { command: 'flood', rows: floodOptions, json, paths: [] } as const
      return sendDirection(address, flags, wanted)
    }
    const options = fromFlags(floodOptions, flags)
    lowerBackgroundThreads()
    const run = flood(address, { ...options, message })
    const restore = onInterrupt(leaveUnconnected)
    const reached = await run.ready.finally(restore)
    const interrupted = await untilFinished(run, {
      address: formatAddress(reached),
      connections: options.connections ?? floodDefaults.connections,
      warmupMs: 0,
      durationMs: options.durationMs ?? Infinity,
      count: options.count ?? Infinity,
    })
    const result = await run.finished
    const asJson = fromFlags(jsonOption, flags).json === true
    print(asJson ? `${JSON.stringify(result)}\n` : loadText(result, canvas(process.stdout)))
    if (nobodyThere(result)) process.exitCode = exitCodes.network
    else if (result.verdict === 'fail') process.exitCode = exitCodes.failed
    else if (interrupted) process.exitCode = exitCodes.interrupted
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
