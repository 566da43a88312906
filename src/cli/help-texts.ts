/** The texts of the help in addition to the options: addresses, examples, exit codes. */
import { transportNames, transports, type TransportName } from '../vocabulary/transport.ts'
import { examples } from './examples.ts'
import { exitCodes } from './exit.ts'

function writtenAs(name: TransportName): string {
  const { socket, hasPath } = transports[name]
  if (socket.domain === 'unix') return `${name}:/path`
  return `${name}://host:port${hasPath ? '/path' : ''}`
}
export const addressRows = transportNames.map(
  name => [writtenAs(name), transports[name].help] as const,
)

const ends: Record<keyof typeof exitCodes, string> = {
  done: 'done',
  failed: 'the verdict failed: wrong or missing bytes, a missed objective',
  usage: 'usage: an option, an argument or a file makes no sense',
  network: 'cannot bind or connect',
  invalid: 'the measurement is not valid: the generator was the limit',
  defect: 'a defect of yodel',
  interrupted: 'interrupted; the report is printed first',
}
export const exitRows = Object.entries(exitCodes).map(
  ([name, code]) => [String(code), ends[name as keyof typeof exitCodes]] as const,
)

export const unitText =
  'Sizes are written as 64k (64,000) or 64KiB (65,536), times as 500us, 20ms, 10s or 5m, ' +
  'rates as 500 or 10k/s, shares as 2%.'

const block = (title: string, rows: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...rows.map(([name]) => name.length))
  return [title, ...rows.map(([name, said]) => `  ${name.padEnd(width)}  ${said}`)].join('\n')
}

/** Two lines for each example: the command, and what it does. */
const exampleBlock = (name: string): string =>
  ['Examples:', ...(examples[name] ?? []).map(([typed, does]) => `  ${typed}\n      ${does}`)].join(
    '\n',
  )

const addressesBlock = block('Addresses (IPv6 in brackets):', addressRows)
const exitBlock = block('Exit codes:', exitRows)

/**
 * The text after the options of a command.
 * @param hasAddress whether the command has an address
 */
export const commandEnding = (name: string, hasAddress: boolean): string =>
  ['', exampleBlock(name), ...(hasAddress ? ['', addressesBlock] : []), '', exitBlock].join('\n')

/** The text after the list of commands. */
export const programEnding = [
  '',
  block('Examples:', [
    ['yodel serve', 'echo what arrives on tcp://127.0.0.1:7007'],
    ['yodel bench -c 10 -z 5s', 'measure it, from a second terminal'],
    ['yodel bench --help', 'every option of a command, with examples'],
  ]),
  '',
  addressesBlock,
  '',
  unitText.replace(' 10s or 5m', '\n10s or 5m'),
  '',
  exitBlock,
  '',
  'yodel --version -v: versions, system, and which engines work on this machine.',
].join('\n')
