/**
 * A round trip of a new client: a new connection, TLS, and a request of one byte (the foreign probe
 * of draft-ietf-ippm-responsiveness, section 4.3).
 */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { HostAddress } from '../../../vocabulary/address.ts'
import { addressesOf } from '../../os/resolver.ts'
import { dialSocket } from '../bytes/dial.ts'
import { upon } from '../core/upon.ts'
import type { Target } from '../core/link.ts'

export interface ForeignTimes {
  /**
   * The time to connect; the time of the TLS handshake, divided by its round trips; the time until
   * the answer came.
   */
  tcpMs: number
  tlsMs: number
  httpMs: number
}

/** How many round trips the handshake takes before a request can be sent. */
const roundTripsOf = (protocol: string | null): number => (protocol === 'TLSv1.3' ? 1 : 2)

/** Rejects with the error of what failed. */
export async function foreignProbe(target: Target, timeoutMs: number): Promise<ForeignTimes> {
  const { secured } = await import('../tls/handshake.ts')
  const { openHttp } = await import('../http/dial.ts')
  const address = target.address as HostAddress
  // The name is looked up before, since that is not part of the round trip.
  const [host = address.host] = await addressesOf(address.host)
  const beganMs = performance.now()
  const socket = await dialSocket({ ...target, address: { ...address, host } }, timeoutMs)
  const connectedMs = performance.now()
  const secure = await upon(socket, () => secured(socket, target, timeoutMs))
  const securedMs = performance.now()
  const { stream } = await openHttp(target, () => Promise.resolve(secure))
  const askedMs = performance.now()
  await upon(stream, () => answered(stream, timeoutMs))
  const answeredMs = performance.now()
  stream.destroy()
  return {
    tcpMs: connectedMs - beganMs,
    tlsMs: (securedMs - connectedMs) / roundTripsOf(secure.stream.getProtocol()),
    httpMs: answeredMs - askedMs,
  }
}

async function answered(stream: Duplex, timeoutMs: number): Promise<void> {
  stream.write('x')
  await once(stream, 'data', { signal: AbortSignal.timeout(Math.max(1, timeoutMs)) })
}
