/** What to type to do the same again. */
import { formatAddress, toAddress, type Address } from '../address.ts'
import type { Calling } from '../transport.ts'

/** Options as the library names them, and as the command line does. */
const flags: Record<string, [flag: string, unit: string]> = {
  connections: ['connections', ''],
  depth: ['depth', ''],
  ratePerSecond: ['rate', '/s'],
  arrivals: ['arrivals', ''],
  count: ['count', ''],
  durationMs: ['duration', 'ms'],
  warmupMs: ['warmup', 'ms'],
  drainMs: ['drain', 'ms'],
  timeoutMs: ['timeout', 'ms'],
  churnPerSecond: ['churn', '/s'],
  idle: ['idle', ''],
  engine: ['engine', ''],
  threads: ['threads', ''],
  seed: ['seed', ''],
  sizeBytes: ['size', ''],
  countCorruption: ['count-corruption', ''],
}

/** @param defaults what need not be said */
export function reproduce(
  command: string,
  address: string | Address,
  options: object,
  defaults: Record<string, unknown>,
): string {
  const url = typeof address === 'string' ? address : formatAddress(toAddress(address))
  const words = ['yodel', command, quoted(url)]
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    const flag = flags[name]
    if (name === 'message') words.push(quoted(messageText(value as Uint8Array | string)))
    if (name === 'expect')
      for (const text of value as string[]) words.push('--expect', quoted(text))
    if (name === 'calling') words.push(...callingWords(value as Calling).map(quoted))
    if (!flag || value === undefined || value === Infinity) continue
    if (value === true) words.push(`--${flag[0]}`)
    if (typeof value === 'boolean') continue
    const text = valueText(value)
    if (text !== valueText(defaults[name])) words.push(`--${flag[0]}`, quoted(`${text}${flag[1]}`))
  }
  return words.join(' ')
}

/** What was read from files is not known by a name any more. */
function callingWords({ tls = {} }: Calling): string[] {
  const { ca, pin, insecure, serverName, alpn = [], cert, key } = tls
  const flag = (name: string, value: string | undefined) =>
    value === undefined ? [] : [`--${name}`, value]
  return [
    ...flag('pin', pin),
    ...(insecure ? ['--insecure'] : []),
    ...flag('server-name', serverName),
    ...alpn.flatMap(protocol => flag('alpn', protocol)),
    ...flag('ca', ca && 'CA.pem'),
    ...flag('cert', cert && 'CERT.pem'),
    ...flag('key', key && 'KEY.pem'),
  ]
}

const messageText = (message: Uint8Array | string): string =>
  typeof message === 'string' ? message : Buffer.from(message).toString()

/** As it is, or a list of sizes such as `64` or `16-64:1,1000:2`. */
function valueText(value: unknown): string {
  if (!Array.isArray(value)) return String(value)
  const ranges = value as { minBytes: number; maxBytes: number; weight: number }[]
  return ranges
    .map(({ minBytes, maxBytes, weight }) => {
      const range = minBytes === maxBytes ? `${minBytes}` : `${minBytes}-${maxBytes}`
      return ranges.length === 1 ? range : `${range}:${weight}`
    })
    .join(',')
}

/** As a shell takes it; control characters as $'...' has them. */
function quoted(word: string): string {
  if (/^[\w./:@%+,-]+$/.test(word)) return word
  // oxlint-disable-next-line no-control-regex
  if (!/[\u0000-\u001f\u007f]/.test(word)) return `'${word.replaceAll("'", String.raw`'\''`)}'`
  const escaped = JSON.stringify(word)
    .slice(1, -1)
    .replaceAll(String.raw`\"`, '"')
  return `$'${escaped.replaceAll("'", String.raw`\'`)}'`
}
