/** To which addresses an agent sends, and how much: its own limits hold for any assignment. */
import { formatAddress, isPublic, type Address } from '../vocabulary/address.ts'
import { usageError } from '../vocabulary/errors.ts'
import { transports } from '../vocabulary/transport.ts'
import { formatRate } from '../vocabulary/units.ts'

export interface Allowed {
  /** Empty: the loopback. */
  allow: readonly string[]
  maxRate: number | undefined
  maxConnections: number | undefined
}

const example = "Write for example 'tcp://127.0.0.1:*' or 'tls://*.lab.example:443'."
const form = /^([a-z0-9+]+|\*):\/\/(\[[0-9a-fA-F:.]+\]|\*|(?:\*\.)?[^*:/@[\]\s]+):(\d{1,5}|\*)$/

/** @throws UserError if it is not a pattern */
export function parsePattern(text: string): (address: Address) => boolean {
  if (text.startsWith('unix:')) return matchPath(text.slice('unix:'.length).replace(/^\/\//, ''))
  const found = form.exec(text)
  const known = found && (found[1] === '*' || Object.hasOwn(transports, found[1]!))
  if (!known) throw usageError(`'${text}' is not a pattern of addresses.`, example)
  const [, transport, hostText, port] = found as unknown as [string, string, string, string]
  const host = hostText.replace(/^\[|\]$/g, '').toLowerCase()
  return address =>
    address.transport !== 'unix' &&
    (transport === '*' || address.transport === transport) &&
    (port === '*' || address.port === Number(port)) &&
    matchHost(host, address.host.toLowerCase())
}

function matchHost(pattern: string, host: string): boolean {
  // The path of an inherited unix socket.
  if (host.startsWith('unix:')) return false
  if (pattern === '*') return true
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern
}

function matchPath(pattern: string): (address: Address) => boolean {
  if (pattern === '' || pattern.slice(0, -1).includes('*'))
    throw usageError(
      `'unix:${pattern}' is not a pattern of sockets.`,
      "A * can only be at the end: 'unix:/run/echo/*'.",
    )
  const start = pattern.endsWith('*') ? pattern.slice(0, -1) : undefined
  return address => {
    if (address.transport !== 'unix') return false
    const { path } = address
    if (start === undefined) return path === pattern
    return path.startsWith(start) && !path.split('/').includes('..')
  }
}

const isHere = (address: Address): boolean =>
  address.transport !== 'unix' && !address.host.startsWith('unix:') && !isPublic(address)

/** The size of a share of a load, as the limits count it. */
export interface AskedLoad {
  address: Address
  /** Steady, idle and short connections together; messages and short connections per second. */
  connections: number
  ratePerSecond: number
}

/** @throws UserError if the limits of the agent do not allow the share */
export function checkShare(
  { address, connections, ratePerSecond }: AskedLoad,
  limits: Allowed,
): void {
  const { allow, maxRate = Infinity, maxConnections = Infinity } = limits
  const where = formatAddress(address)
  if (allow.length === 0 && !isHere(address))
    throw usageError(
      `It does not send to ${where}: without --allow, an agent sends to its own machine.`,
      `Start it with --allow '${where}'.`,
    )
  if (allow.length > 0 && !allow.some(pattern => parsePattern(pattern)(address)))
    throw usageError(
      `It does not send to ${where}: it is allowed ${allow.join(', ')}.`,
      `Start it with --allow '${where}', too.`,
    )
  if (connections > maxConnections)
    throw usageError(
      `Its share has ${connections} connections, but it takes ${maxConnections} at most.`,
      'Use more agents, or a higher --max-connections.',
    )
  if (ratePerSecond <= maxRate) return
  const share = ratePerSecond === Infinity ? 'a closed loop, which has no' : 'a share with a'
  const rate = ratePerSecond === Infinity ? '' : ` of ${formatRate(ratePerSecond)}`
  throw usageError(
    `It is asked for ${share} rate${rate}, and it sends ${formatRate(maxRate)} at most.`,
    'Use more agents, a lower --rate, or a higher --max-rate.',
  )
}
