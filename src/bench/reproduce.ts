/** What to type to do the same again. */
import { formatAddress, toAddress, type Address } from '../address.ts'
import type { BenchOptions, FloodOptions } from '../bench.ts'
import type { SizeRange } from '../load/sizes.ts'
import type { Calling, TlsCalling } from '../transport.ts'

/** What the command line calls each option of the library: a forgotten one does not compile. */
type Words<Options> = {
  [Name in keyof Options]-?: (value: NonNullable<Options[Name]>) => readonly string[]
}

const flag =
  (name: string, unit = '') =>
  (value: unknown): string[] => [`--${name}`, `${valueText(value)}${unit}`]

const whether =
  (name: string) =>
  (is: boolean): string[] =>
    is ? [`--${name}`] : []

/** What was read from files is not known by a name any more. */
const tlsWords: Words<TlsCalling> = {
  pin: flag('pin'),
  insecure: whether('insecure'),
  serverName: flag('server-name'),
  alpn: protocols => protocols.flatMap(flag('alpn')),
  ca: () => ['--ca', 'CA.pem'],
  cert: () => ['--cert', 'CERT.pem'],
  key: () => ['--key', 'KEY.pem'],
}

const callingWords: Words<Calling> = {
  tls: tls => wordsOf(tlsWords, tls),
  sendProxy: flag('send-proxy'),
  // Only `connect` asks for any of it.
  http: () => [],
}

const loadWords: Words<BenchOptions & FloodOptions> = {
  message: message => [typeof message === 'string' ? message : Buffer.from(message).toString()],
  connections: flag('connections'),
  depth: flag('depth'),
  ratePerSecond: flag('rate', '/s'),
  arrivals: flag('arrivals'),
  count: flag('count'),
  durationMs: flag('duration', 'ms'),
  warmupMs: flag('warmup', 'ms'),
  drainMs: flag('drain', 'ms'),
  timeoutMs: flag('timeout', 'ms'),
  churnPerSecond: flag('churn', '/s'),
  idle: flag('idle'),
  engine: flag('engine'),
  threads: flag('threads'),
  seed: flag('seed'),
  sizeBytes: flag('size'),
  countCorruption: whether('count-corruption'),
  expect: objectives => objectives.flatMap(flag('expect')),
  calling: calling => wordsOf(callingWords, calling),
}

/** @param defaults what need not be said */
export function reproduce(
  command: string,
  address: string | Address,
  options: object,
  defaults: Record<string, unknown>,
): string {
  const url = typeof address === 'string' ? address : formatAddress(toAddress(address))
  const isUsual = (name: string, value: unknown) =>
    value === Infinity || valueText(value) === valueText(defaults[name])
  const said = Object.entries(options).filter(([name, value]) => !isUsual(name, value))
  const words = wordsOf(loadWords, Object.fromEntries(said))
  return ['yodel', command, url, ...words].map(quoted).join(' ')
}

/** In the order in which they were given. */
function wordsOf<Options extends object>(table: Words<Options>, options: Options): string[] {
  const names = Object.keys(options).filter(name => Object.hasOwn(table, name))
  return (names as (keyof Options)[]).flatMap(name => {
    const value = options[name]
    return value == null ? [] : table[name](value)
  })
}

/** As it is, or a list of sizes such as `64` or `16-64:1,1000:2`. */
function valueText(value: unknown): string {
  if (typeof value === 'string') return value
  if (!isSizes(value)) return JSON.stringify(value) ?? ''
  return value
    .map(({ minBytes, maxBytes, weight }) => {
      const range = minBytes === maxBytes ? `${minBytes}` : `${minBytes}-${maxBytes}`
      return value.length === 1 ? range : `${range}:${weight}`
    })
    .join(',')
}

const isSizes = (value: unknown): value is SizeRange[] =>
  Array.isArray(value) && (value[0] as Partial<SizeRange> | undefined)?.minBytes !== undefined

/** As a shell takes it; control characters as $'...' has them. */
export function quoted(word: string): string {
  if (/^[\w./:@%+,-][\w./:@%+,~=-]*$/.test(word)) return word
  // oxlint-disable-next-line no-control-regex
  if (!/[\u0000-\u001f\u007f]/.test(word)) return `'${word.replaceAll("'", String.raw`'\''`)}'`
  const escaped = JSON.stringify(word)
    .slice(1, -1)
    .replaceAll(String.raw`\"`, '"')
  return `$'${escaped.replaceAll("'", String.raw`\'`)}'`
}
