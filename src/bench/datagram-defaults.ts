/** The defaults and sizes that differ for a load of datagrams. */
import type { Address } from '../vocabulary/address.ts'
import { usageError } from '../vocabulary/errors.ts'
import { headerBytes } from '../load/datagram-traffic.ts'
import { isDatagrams } from '../vocabulary/transport.ts'

/** A datagram that is not back within a second counts as lost, as most programs that use udp do. */
const timeoutMs = 1_000
/** In an open loop a lost datagram should not hold up those behind it. */
const openLoopDepth = 1_000
/** The most messages in flight over all connections; see checkLoad(). */
const inFlightMax = 1_000_000
/**
 * The largest datagram with IPv6 (RFC 768, RFC 8200). With IPv4 it has 20 bytes less, which is
 * checked once the address is resolved.
 */
const sizeMaxBytes = 65_527

/** The bytes of each datagram in addition to the message of a flood. */
export const overheadBytes = (address: Address): number => (isDatagrams(address) ? headerBytes : 0)

interface Wanted {
  ratePerSecond?: number
  connections?: number
}

/** The defaults for this transport. */
export function ofTransport<D extends { timeoutMs: number; depth: number; connections: number }>(
  address: Address,
  { ratePerSecond, connections }: Wanted,
  defaults: D,
): D {
  if (!isDatagrams(address)) return defaults
  const share = Math.floor(inFlightMax / Math.max(1, connections ?? defaults.connections))
  const depth = ratePerSecond === undefined ? defaults.depth : Math.min(openLoopDepth, share)
  return { ...defaults, timeoutMs, depth: Math.max(1, depth) }
}

export function checkDatagrams(minBytes: number, maxBytes: number): void {
  if (minBytes < headerBytes)
    throw usageError(
      `A datagram of a load has ${headerBytes} bytes at least, not ${minBytes}.`,
      'They number the datagram, so that lost, duplicate and reordered ones can be counted.',
    )
  if (maxBytes > sizeMaxBytes)
    throw usageError(`A datagram has 65,507 bytes at most (65,527 with IPv6), not ${maxBytes}.`)
}
