/** `transport://host:port` ↔ Address. The only parser of addresses. */
import { isIPv6 } from 'node:net'
import { usageError } from './errors.ts'
import { bareOf, isOverTcp, transportNames, transports, type TransportName } from './transport.ts'

/** An address to listen on or to connect to. Plain data. */
export type Address = HostAddress | UnixAddress
export interface HostAddress {
  transport: Exclude<TransportName, 'unix'>
  /**
   * A name, an IPv4 address, or an IPv6 address without brackets; `unix:PATH` of an inherited
   * socket that carries something other than bytes.
   */
  host: string
  /** 0 to 65535; 0 asks the system for a free one, and can only be listened on. */
  port: number
  /** For ws and http: the path and query of the URL, `/` at least. */
  resource?: string
}
export interface UnixAddress {
  transport: 'unix'
  path: string
}

/**
 * The address of the stream of bytes below a transport, in the form of node:net.
 * @throws Error if node:net does not open such sockets
 */
export function streamAt(address: Address): { host: string; port: number } | { path: string } {
  if (address.transport === 'unix') return { path: address.path }
  const { transport, host, port } = address
  if (isOverTcp(address)) return { host, port }
  throw new Error(`node:net does not open the streams of ${transport}`)
}

/** The address of the plain socket: without TLS, and without a protocol on top of it. */
export function bareAt(address: Address): Address {
  const bare = bareOf(address.transport)
  if (address.transport === 'unix' || bare === 'unix' || bare === address.transport) return address
  return { transport: bare, host: address.host, port: address.port }
}

/** RFC 862 gives echo port 7, which needs privileges; 7007 does not. */
export const defaultAddress: Address = { transport: 'tcp', host: '127.0.0.1', port: 7007 }

const examples =
  'Write for example tcp://127.0.0.1:7007, tcp://[::1]:7007, :7007 or unix:/tmp/echo.'

/**
 * The longest path: Linux has 108 bytes for it, with a final NUL (unix(7)), and no system has more.
 */
const unixPathMaxBytes = 107
/** The longest path on macOS and the BSDs, which have 104 bytes. */
const bsdPathMaxBytes = 103

/**
 * Parses `transport://host:port`, `host:port`, `:port`, `port` and `unix:path`.
 * Without a host it is the loopback, never every interface.
 */
export function parseAddress(text: string): Address {
  const unix = /^unix:(?:\/\/)?(.*)$/s.exec(text)
  if (unix) return parseUnix(text, unix[1]!)
  const scheme = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text)
  if (!scheme) return parseHostAndPort(text, 'tcp', text)
  const transport = scheme[1]!.toLowerCase()
  if (!Object.hasOwn(transports, transport))
    throw usageError(
      `'${text}': the transport ${scheme[1]} is not known.`,
      `The transports are ${transportNames.join(', ')}.`,
    )
  return parseHostAndPort(text, transport as HostAddress['transport'], scheme[2]!)
}

function parseUnix(text: string, path: string): UnixAddress {
  if (path === '' || path.includes('\0'))
    throw usageError(`'${text}' names no unix socket.`, 'Write for example unix:/tmp/echo.')
  if (Buffer.byteLength(path) > unixPathMaxBytes)
    throw usageError(`The path of a unix socket can have at most ${unixPathMaxBytes} bytes.`)
  return { transport: 'unix', path }
}

function parseHostAndPort(
  text: string,
  transport: HostAddress['transport'],
  rest: string,
): HostAddress {
  const { defaultPort, hasPath } = transports[transport]
  const scheme = rest === text ? '' : `${transport}://`
  const hint =
    scheme === '' ? examples : `Write for example ${scheme}127.0.0.1:7007 or ${scheme}[::1]:7007.`
  const [, authority, resource] = /^([^/?]*)(.*)$/s.exec(rest) as unknown as [
    string,
    string,
    string,
  ]
  if (isIPv6(authority) && authority.includes('::'))
    throw usageError(
      `'${text}': an IPv6 address needs brackets.`,
      `Write for example ${scheme}[::1]:7007.`,
    )
  const match = /^(?:(\[[^\]]*\]|[^:[\]/\s@?#]*):)?(\d+)$/.exec(authority)
  const bare = defaultPort > 0 && /^(\[[^\]]*\]|[^:[\]/\s@?#]+)$/.exec(authority)
  if (!match && !bare) throw usageError(`'${text}' is not an address.`, hint)
  // A number without a host is a port. Without a port the scheme decides.
  const port = match ? Number(match[2]) : defaultPort
  if (port > 65_535)
    throw usageError(`'${text}': ports go from 0 to 65535.`, 'Port 0 lets the system choose.')
  const host = parseHost(
    text,
    (match ? match[1] : (bare as RegExpExecArray)[1]) || '127.0.0.1',
    hint,
  )
  if (hasPath) return { transport, host, port, resource: parseResource(text, scheme, resource) }
  if (resource !== '' && resource !== '/')
    throw usageError(`'${text}': ${transport} has no path.`, hint)
  return { transport, host, port }
}

/**
 * Parses path and query of a URL. They must not contain spaces, control characters, or a fragment.
 */
function parseResource(text: string, scheme: string, resource: string): string {
  if (!/^[!-"$-~]*$/.test(resource))
    throw usageError(
      `'${text}': that is not a path.`,
      `Write for example ${scheme}127.0.0.1:7007/chat; a space is %20.`,
    )
  return resource.startsWith('/') ? resource : `/${resource}`
}

function parseHost(text: string, host: string, hint: string): string {
  if (!host.startsWith('[')) return host
  const inside = host.slice(1, -1)
  if (!isIPv6(inside)) throw usageError(`'${text}': ${inside || 'nothing'} is not IPv6.`, hint)
  return inside
}

/** The inverse of parseAddress, in its full form. */
export function formatAddress(address: Address): string {
  if (address.transport === 'unix') return `unix:${address.path}`
  if (address.host.startsWith('unix:')) return `${address.transport}+${address.host}`
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  const { resource = '/' } = address
  return `${address.transport}://${host}:${address.port}${resource === '/' ? '' : resource}`
}

/**
 * A host without the zone of an IPv6 address: a zone has a meaning on this machine only, and is
 * never sent (RFC 9844).
 */
export const withoutZone = (host: string): string => host.replace(/%.*$/, '')

/** The host in the form of a URL that is sent. */
export const hostInUrl = (host: string): string =>
  host.includes(':') ? `[${withoutZone(host)}]` : host

/** Host and port as in a URL that is sent, without the scheme's default port. */
export function authorityOf({ transport, host, port }: HostAddress): string {
  const name = hostInUrl(host)
  return port === transports[transport].defaultPort ? name : `${name}:${port}`
}

/** A caller of the library may write an address as text or as an object. */
export const toAddress = (address: string | Address): Address =>
  typeof address === 'string' ? parseAddress(address) : address

/**
 * Like toAddress(), for an address that this machine listens on or connects to. (Addresses of saved
 * results may be those of other systems.)
 * @throws UserError
 */
export function toOwnAddress(
  text: string | Address,
  platform: NodeJS.Platform = process.platform,
): Address {
  const address = toAddress(text)
  if (address.transport !== 'unix') return address
  if (platform === 'win32')
    throw usageError(
      `${formatAddress(address)}: Node has no unix sockets on Windows.`,
      'Use tcp://127.0.0.1:7007.',
    )
  const max = platform === 'linux' || platform === 'android' ? unixPathMaxBytes : bsdPathMaxBytes
  if (Buffer.byteLength(address.path) > max)
    throw usageError(`The path of a unix socket can have at most ${max} bytes here.`)
  return address
}

/** Whether another machine could reach a listener there. */
export function isPublic(address: Address): boolean {
  if (address.transport === 'unix') return false
  const host = withoutZone(address.host)
  return !(
    host.startsWith('unix:') ||
    host === 'localhost' ||
    host === '::1' ||
    /^127\.\d+\.\d+\.\d+$/.test(host)
  )
}
