/** yodel connect: type and see the echo; or pipe. */
import { clearLine, cursorTo } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from '@commander-js/extra-typings'
import { formatAddress, type Address } from '../vocabulary/address.ts'
import { connect, connectDefaults, connectOptions, type Connection } from '../connect.ts'
import { answerTimeoutMs } from '../connect/datagram-echo.ts'
import type { AnswerHead } from '../wire/http/answer-parser.ts'
import { fromFlags, option } from '../options/form.ts'
import { whether } from '../options/kinds.ts'
import { carrying, speaking } from '../options/where.ts'
import { printable } from '../vocabulary/text.ts'
import { hasText, isDatagrams, transports, underWayMaxBytes } from '../vocabulary/transport.ts'
import { formatDuration } from '../vocabulary/units.ts'
import { usageError } from '../vocabulary/errors.ts'
import { exitCodes } from './exit.ts'
import { addressArgument } from './flags.ts'
import { addTables, type Tables } from './option-flags.ts'
import type { Talked } from './exit.ts'
import { leaveUnconnected, onInterrupt, tell } from './output.ts'

/** Options of the command line that the library does not have. */
const shownOptions = {
  hex: option(whether(), {
    default: false,
    flag: 'hex',
    help: 'show what comes back in hexadecimal',
  }),
  text: option(whether(), {
    default: false,
    flag: 'text',
    help: 'ws: in a pipe each line is a message of text',
    where: { engines: 'every', transports: speaking('ws') },
  }),
  halfClose: option(whether(), {
    default: false,
    flag: 'half-close',
    help: 'in a pipe: send FIN as soon as stdin ends, not when all is back',
    where: { engines: 'every', transports: carrying('bytes') },
  }),
  verbose: option(whether(), {
    default: false,
    short: 'v',
    flag: 'verbose',
    help: 'print a line to stderr as soon as the connection is made',
  }),
}
const { calling, ...own } = connectOptions
export const connectTables: Tables = [
  [undefined, { ...shownOptions, ...own }],
  ['Transports:', { calling }],
]

export function completeConnect(bare: Command): void {
  const command = bare.addArgument(addressArgument('where to connect'))
  addTables(command, connectTables)
  command.action(async (address, flags) => {
    const { calling, timeoutMs: timeout } = fromFlags(connectOptions, flags)
    const shown = fromFlags(shownOptions, flags)
    const { hex = false, text = false, halfClose = false, verbose = false } = shown
    if (text && !hasText(address))
      throw usageError(
        `${address.transport} does not distinguish text and binary.`,
        '--text is for ws and wss.',
      )
    if (halfClose && transports[address.transport].carries !== 'bytes')
      throw usageError(`${address.transport} has no FIN.`, '--half-close is for tcp, tls and unix.')
    const typing = process.stdin.isTTY && process.stdout.isTTY
    const talk = await talkerFor(address, typing, { hex, text, halfClose }, timeout)
    // No await from here on: the first bytes of a quick server would be missed.
    const timeoutMs = timeout ?? connectDefaults.timeoutMs
    const answering = { answerTimeoutMs: timeoutMs, underWayMaxBytes }
    const http = { oneRequest: !typing, anyStatus: true, ...answering }
    const restore = onInterrupt(leaveUnconnected)
    const connecting = connect(address, { timeoutMs, calling: { ...calling, http } })
    const connection = await connecting.finally(restore)
    try {
      const answers = tellAnswers(connection, verbose, typing)
      // A connected client is not served yet: it may wait in the backlog of the server.
      if (verbose) {
        tell(`connected to ${formatAddress(connection.address)}`)
        for (const detail of connection.details) tell(detail)
        if (connection.ping) tell(await pinged(connection.ping))
      }
      const { exitCode, message } = await talk(connection)
      if (message !== '') tell(message)
      process.exitCode = exitCode === exitCodes.done && answers.bad ? exitCodes.failed : exitCode
    } finally {
      // Always closes: an open connection would keep the process alive.
      await connection.close()
    }
  })
}

/** How long to wait for a server that answers no pings. */
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

/** With HTTP: shows every status but 200, and with --verbose everything before the body. */
function tellAnswers({ stream }: Connection, verbose: boolean, typing: boolean): { bad: boolean } {
  const answers = { bad: false }
  stream.on('answer', ({ version, status, reason, headers }: AnswerHead) => {
    if (status !== 200) answers.bad = true
    else if (!verbose) return
    // The prompt is on the line, and is drawn again with the body.
    if (typing) {
      cursorTo(process.stdout, 0)
      clearLine(process.stdout, 0)
    }
    tell(printable(`HTTP/${version} ${status} ${reason}`.trimEnd()))
    if (verbose) for (const [name, value] of headers) tell(printable(`${name}: ${value}`))
  })
  return answers
}

type Talk = (connection: Connection) => Promise<Talked>

async function talkerFor(
  address: Address,
  typing: boolean,
  shape: { hex: boolean; text: boolean; halfClose: boolean },
  timeout: number | undefined,
): Promise<Talk> {
  if (isDatagrams(address)) {
    const talk = typing
      ? (await import('./datagram-prompt.ts')).talkByDatagramPrompt
      : (await import('./datagram-pipe.ts')).talkByDatagramPipe
    return connection => talk(connection, { hex: shape.hex, timeoutMs: timeout ?? answerTimeoutMs })
  }
  if (typing) {
    const { talkByPrompt } = await import('./prompt.ts')
    return connection => talkByPrompt(connection, shape.hex)
  }
  const { talkByPipe } = await import('./pipe.ts')
  const timeoutMs = timeout ?? connectDefaults.timeoutMs
  return connection => talkByPipe(connection, { ...shape, timeoutMs })
}
