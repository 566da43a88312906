/** yodel connect: type and see the echo; or pipe. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from '@commander-js/extra-typings'
import { formatAddress } from '../address.ts'
import { connect, connectDefaults } from '../connect.ts'
import { formatDuration, parseDuration } from '../units.ts'
import { callingOf, callingOptions } from './calling.ts'
import { addAll, addressArgument, value } from './flags.ts'
import { tell } from './output.ts'

export function addConnect(program: Command): void {
  const command = program
    .command('connect')
    .description('type and see the echo; or pipe: cat file | yodel connect > same')
    .addArgument(addressArgument('whom to talk to'))
    .option('--hex', 'show what comes back in hexadecimal')
    .option('--timeout <duration>', 'patience with the connection (default: 10s)', duration)
    .option('-v, --verbose', 'say on stderr once it is connected')
  addAll(command, callingOptions())
  command.action(async (address, flags) => {
    const { calling, rest } = callingOf(flags)
    const { hex = false, timeout, verbose = false } = rest
    const typing = process.stdin.isTTY && process.stdout.isTTY
    const talk = typing
      ? (await import('./prompt.ts')).talkByPrompt
      : (await import('./pipe.ts')).talkByPipe
    // From here on nothing may come between: what a quick server says would be missed.
    const timeoutMs = timeout ?? connectDefaults.timeoutMs
    const connection = await connect(address, { timeoutMs, calling })
    // Connected is not yet served: a server may leave us waiting in its backlog.
    if (verbose) {
      tell(`connected to ${formatAddress(connection.address)}`)
      for (const detail of connection.details) tell(detail)
      if (connection.ping) tell(await pinged(connection.ping))
    }
    const { exitCode, message } = await talk(connection, hex)
    if (message !== '') tell(message)
    process.exitCode = exitCode
  })
}

/** So long is waited for a server that answers no pings. */
const pingMs = 1_000

async function pinged(ping: () => Promise<number>): Promise<string> {
  const patience = new AbortController()
  const late = sleep(pingMs, undefined, { signal: patience.signal })
  const answered = await Promise.race([ping(), late]).catch(() => undefined)
  patience.abort()
  return answered === undefined
    ? 'the ping was not answered'
    : `the ping was answered in ${formatDuration(answered)}`
}

const duration = value(parseDuration)
