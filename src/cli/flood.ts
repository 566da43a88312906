/** yodel flood: the same message, for ever. */
import type { Command } from '@commander-js/extra-typings'
import { formatAddress } from '../address.ts'
import { flood, floodDefaults, type LoadRun } from '../bench.ts'
import { since } from '../metrics/snapshot.ts'
import { loadJson, loadText } from '../report/load.ts'
import { formatCount, formatDuration, formatSize, plural } from '../units.ts'
import { parseCount, parseDuration, parseRate } from '../units.ts'
import { addressArgument, engineFlag, value } from './flags.ts'
import { exitCodes } from './exit.ts'
import { onInterrupt, print, showLive, tell } from './output.ts'

export function addFlood(program: Command): void {
  program
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
    .action(async (address, message, { json, rate, duration, ...options }) => {
      const load = { ...options, ratePerSecond: rate, durationMs: duration, message }
      const run = await flood(address, load)
      const interrupted = await untilFinished(run, options.connections)
      const report = {
        command: 'flood',
        address: run.address,
        connections: options.connections,
        ...(await run.finished),
      }
      print(json ? loadJson(report) : loadText(report))
      if (!report.ok) process.exitCode = exitCodes.failed
      else if (interrupted) process.exitCode = exitCodes.interrupted
    })
}

/** Shows what happens; whether it was ended by a signal. */
async function untilFinished(run: LoadRun, connections: number): Promise<boolean> {
  let interrupted = false
  let before = run.snapshot()
  const stopShowing = showLive(() => {
    const now = run.snapshot()
    const { messagesReceived, bytesIn, latency, atMs } = since(before, now)
    before = now
    const seconds = atMs / 1e3
    const [p50, p99] = latency.quantiles([0.5, 0.99]).map(ns => formatDuration(ns / 1e6))
    const times = messagesReceived > 0 ? `p50 ${p50}  p99 ${p99}` : 'no answer'
    return (
      `${formatAddress(run.address)}  ${formatCount(messagesReceived / seconds)} messages/s  ` +
      `${formatSize(bytesIn / seconds)}/s  ${times}  wrong ${formatCount(now.wrongBytes)}`
    )
  })
  const restore = onInterrupt(() => {
    interrupted = true
    run.stop()
  })
  // Not before signals are heeded: whoever reads this may send one at once.
  tell(
    `flooding ${formatAddress(run.address)} over ${plural(connections, 'connection')}; ` +
      'Ctrl-C ends it with a report',
  )
  await run.finished
  stopShowing()
  restore()
  return interrupted
}
