/** The addresses of a name, and trying one after the other as RFC 8305 says. */
import { isIP } from 'node:net'

/** How long to wait for an attempt before the next address is tried (RFC 8305 section 5). */
export const attemptDelayMs = 250

/**
 * The addresses of a name in the order of the system, but with IPv6 and IPv4 in turn (RFC 8305
 * section 4).
 * @throws the resolver's error
 */
export async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host]
  // Loaded only for names.
  const { lookup } = await import('node:dns/promises')
  const all = await lookup(host, { all: true })
  const first = all.filter(({ family }) => family === all[0]!.family)
  const second = all.filter(({ family }) => family !== all[0]!.family)
  const turns = first.flatMap((found, at) => (second[at] ? [found, second[at]] : [found]))
  const addresses = [...turns, ...second.slice(first.length)].map(({ address }) => address)
  return [...new Set(addresses)]
}

/** Of the error codes of all attempts, the one that says most about the other side. */
export const tellingCode = (codes: readonly string[]): string =>
  codes.find(code => code !== 'ETIMEDOUT' && !ownFaults.includes(code)) ??
  codes.find(code => !ownFaults.includes(code)) ??
  codes[0] ??
  ''

/**
 * Errors because this machine has no route to such an address: they say nothing about the other
 * side.
 */
const ownFaults = ['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'ENETUNREACH', 'EHOSTUNREACH']
