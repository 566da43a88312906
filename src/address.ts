/** `tcp://host:port` ↔ Address. The only parser of addresses. */
import { isIPv6 } from 'node:net'
import { usageError } from './errors.ts'

/** Somewhere to listen, or someone to talk to. Plain data; net.connect() takes it as it is. */
export type Address = TcpAddress | UnixAddress
export interface TcpAddress {
  transport: 'tcp'
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  host: string
  /** 0 to 65535; 0 asks the system for a free one, and can only be listened on. */
  port: number
}
export interface UnixAddress {
  transport: 'unix'
  path: string
}

/** RFC 862 gives echo port 7, which needs privileges; 7007 does not. */
export const defaultAddress: Address = { transport: 'tcp', host: '127.0.0.1', port: 7007 }

const examples =
  'Write for example tcp://127.0.0.1:7007, tcp://[::1]:7007, :7007 or unix:/tmp/echo.'

/** Linux keeps 108 bytes for the path, with its final NUL (unix(7)). */
const unixPathMaxBytes = 107

/**
 * Parses `tcp://host:port`, `host:port`, `:port`, `port` and `unix:path`.
 * Without a host it is the loopback, never every interface.
 */
export function parseAddress(text: string): Address {
  const unix = /^unix:(?:\/\/)?(.*)$/s.exec(text)
  if (unix) return parseUnix(text, unix[1]!)
  const scheme = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text)
  if (scheme && scheme[1]!.toLowerCase() !== 'tcp')
    throw usageError(`'${text}': the transport ${scheme[1]} is not known.`, examples)
  return parseTcp(text, (scheme ? scheme[2]! : text).replace(/\/$/, ''))
}

function parseUnix(text: string, path: string): UnixAddress {
  if (path === '' || path.includes('\0'))
    throw usageError(`'${text}' names no unix socket.`, 'Write for example unix:/tmp/echo.')
  if (Buffer.byteLength(path) > unixPathMaxBytes)
    throw usageError(`The path of a unix socket can have at most ${unixPathMaxBytes} bytes.`)
  return { transport: 'unix', path }
}

function parseTcp(text: string, rest: string): TcpAddress {
  if (isIPv6(rest) && rest.includes('::'))
    throw usageError(`'${text}': an IPv6 address needs brackets.`, 'Write for example [::1]:7007.')
  const match = /^(?:(\[[^\]]*\]|[^:[\]/\s@?#]*):)?(\d+)$/.exec(rest)
  if (!match) throw usageError(`'${text}' is not an address.`, examples)
  const port = Number(match[2])
  if (port > 65_535)
    throw usageError(`'${text}': ports go from 0 to 65535.`, 'Port 0 lets the system choose.')
  return { transport: 'tcp', host: parseHost(text, match[1] || '127.0.0.1'), port }
}

function parseHost(text: string, host: string): string {
  if (!host.startsWith('[')) return host
  const inside = host.slice(1, -1)
  if (!isIPv6(inside)) throw usageError(`'${text}': ${inside || 'nothing'} is not IPv6.`, examples)
  return inside
}

/** The inverse of parseAddress, in its full form. */
export function formatAddress(address: Address): string {
  if (address.transport === 'unix') return `unix:${address.path}`
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${address.transport}://${host}:${address.port}`
}

/** Whoever calls the library may write an address or pass one on. */
export const toAddress = (address: string | Address): Address =>
  typeof address === 'string' ? parseAddress(address) : address

/** Whether somebody on another machine could reach a listener there. */
export function isPublic(address: Address): boolean {
  if (address.transport === 'unix') return false
  const { host } = address
  return !(host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host))
}
