/** From which addresses of its own a client connects, and through which proxy. */
import { isIP } from 'node:net'
import { usageError } from '../vocabulary/errors.ts'
import type { Kind } from './form.ts'
import { text } from './kinds.ts'

const bare = (written: string) => /^\[(.*)\]$/.exec(written)?.[1] ?? written

/** `10.0.0.5 10.0.0.6`, or separated by commas; repeatable. */
export const sources: Kind<string[]> = {
  placeholder: '<address...>',
  parse: typed =>
    typed
      .split(/[\s,]+/)
      .filter(Boolean)
      .map(bare),
  format: all => [all.join(',')],
  mistake(all) {
    const wrong = all.find(address => isIP(address) === 0)
    if (wrong === undefined && all.length > 0) return undefined
    return (
      `has '${wrong ?? ''}', which is not a numeric address. Write for example ` +
      '127.0.0.2,127.0.0.3, behind the address of the server.'
    )
  },
  many: true,
}

/**
 * The source address of a connection: connections use the addresses in turn, by their numbers in
 * the whole load.
 */
export const sourceOf = (
  { source = [] }: { source?: readonly string[] | undefined },
  number: number,
): string | undefined => source[number % source.length]

/**
 * Those addresses of a server that can be reached from the source addresses.
 * @throws UserError if there are none
 */
export function reachableFrom(
  { source = [] }: { source?: readonly string[] | undefined },
  hosts: readonly string[],
): string[] {
  const [first] = source
  if (first === undefined) return [...hosts]
  const other = source.find(address => isIP(address) !== isIP(first))
  if (other !== undefined)
    throw usageError(
      `${first} and ${other} are of different kinds.`,
      'Name IPv4 addresses, or IPv6 addresses.',
    )
  const found = hosts.filter(host => isIP(host) === isIP(first))
  if (found.length > 0) return found
  throw usageError(
    `${first} cannot connect to ${hosts.join(', ')}: one is IPv4, the other IPv6.`,
    'Name a --source of the same kind.',
  )
}

/** The address of a proxy, and the name and password for it. */
export interface Proxy {
  host: string
  port: number
  /** `user:password` */
  credentials: string | undefined
}

const example = 'Write for example --proxy http://proxy.example:3128.'

/** @throws UserError if the text is not the URL of a usable proxy */
export function parseProxy(written: string): Proxy {
  const form = /^http:\/\/(?:([^@/]*)@)?(\[[^\]]+\]|[^:@/[\]\s]+):(\d{1,5})\/?$/i.exec(written)
  if (!form) {
    const isOther = /^(https|socks\w*):/i.exec(written)
    if (isOther)
      throw usageError(`${isOther[1]} proxies are not supported, only HTTP proxies.`, example)
    // The text is not quoted, since it may contain a password.
    throw usageError('That is not a proxy.', example)
  }
  const [, user, host, port] = form as unknown as [string, string | undefined, string, string]
  if (Number(port) < 1 || Number(port) > 65_535)
    throw usageError('Ports of a proxy go from 1 to 65535.', example)
  return { host: bare(host), port: Number(port), credentials: user && decodeURIComponent(user) }
}

/** The URL as results show it, without the password. */
const shownProxy = (written: string) => written.replace(/\/\/([^:@/]*)(?::[^@/]*)?@/, '//$1:...@')

export const proxyUrl: Kind<string> = {
  ...text('<url>'),
  parse: typed => (parseProxy(typed), typed),
  format: value => [shownProxy(value)],
  mistake(value) {
    try {
      parseProxy(value)
      return undefined
    } catch {
      return `cannot be used. ${example}`
    }
  },
}
