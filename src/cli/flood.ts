/** yodel flood: the same message, for ever. */
import type { Command } from '@commander-js/extra-typings'
import { formatAddress } from '../address.ts'
import { flood, floodDefaults, type LoadRun } from '../bench.ts'
import type { LoadAbout } from '../report/live.ts'
import { loadText } from '../report/load.ts'
import { parseCount, parseDuration, parseRate, plural } from '../units.ts'
import { callingOf, callingOptions } from './calling.ts'
import { addAll, addressArgument, engineFlag, value } from './flags.ts'
import { exitCodes, nobodyThere } from './exit.ts'
import { showLoad } from './live.ts'
import { canvas, onInterrupt, print, tell } from './output.ts'

export function addFlood(program: Command): void {
  const command = program
    .command('flood')
    .description('send the same message for ever, and verify every echo')
    .addArgument(addressArgument('whom to send to'))
    .argument('[message]', 'what to send', floodDefaults.message)
    .option('--connections <n>', 'connections', value(parseCount), floodDefaults.connections)
    .option('--depth <n>', 'messages in flight on each', value(parseCount), floodDefaults.depth)
    .option('--rate <rate>', 'messages per second in all, evenly spaced', value(parseRate))
    .option('--count <n>', 'stop after so many messages', value(parseCount))
    .option('--duration <duration>', 'stop after so long', value(parseDuration))
    .addOption(engineFlag())
    .option('--threads <n>', 'threads that send', value(parseCount), floodDefaults.threads)
    .option('--json', 'report as one JSON document')
  addAll(command, 'Transports:', callingOptions())
  command.action(async (address, message, flags) => {
    const { calling, rest } = callingOf(flags)
    const { json, rate, duration, ...options } = rest
    const load = { ...options, calling, ratePerSecond: rate, durationMs: duration, message }
    const run = flood(address, load)
    const interrupted = await untilFinished(run, {
      address: formatAddress(await run.ready),
      connections: options.connections,
      warmupMs: 0,
      durationMs: duration ?? Infinity,
      count: options.count ?? Infinity,
    })
    const result = await run.finished
    print(json ? `${JSON.stringify(result)}\n` : loadText(result, canvas(process.stdout)))
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
  // Not before signals are heeded: whoever reads this may send one at once.
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
