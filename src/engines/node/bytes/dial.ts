/** Connects streams of bytes, in the clear or with TLS; other transports speak on top of them. */
import { connect, isIP, type Socket } from 'node:net'
import type { Calling } from '../../../options/calling.ts'
import { parseProxy, reachableFrom, sourceOf, type Proxy } from '../../../options/route.ts'
import { UserError } from '../../../vocabulary/errors.ts'
import { streamAt, type HostAddress } from '../../../vocabulary/address.ts'
import { transports } from '../../../vocabulary/transport.ts'
import { upon } from '../core/upon.ts'
import type { Dial, Link, Target } from '../core/link.ts'
import { libcFor } from '../../os/socket-options.ts'
import { whenConnected } from './connected.ts'

const dialPlainLink: Dial = async (target, timeoutMs, signal) => {
  const stream = await dialSocket(target, timeoutMs, signal)
  target.onSocket?.(stream)
  return { stream, details: [] }
}

const dialSecureLink: Dial = async (target, timeoutMs, signal) => {
  const startedMs = performance.now()
  const socket = await dialSocket(target, timeoutMs, signal)
  const { secured } = await import('../tls/handshake.ts')
  const leftMs = Math.max(1, timeoutMs - (performance.now() - startedMs))
  const link = await upon(socket, () => secured(socket, target, leftMs))
  target.onSocket?.(socket, link.stream)
  return link
}

/** Dials in the clear or with TLS, depending on the transport. */
export const dialBytes = (
  target: Target,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Link> => {
  const { secure } = transports[target.address.transport]
  return (secure ? dialSecureLink : dialPlainLink)(target, timeoutMs, signal)
}

/** Opens the stream below every transport but udp, and sends the PROXY header if one is wanted. */
export async function dialSocket(
  { address, calling, number = 0 }: Target,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Socket> {
  const from = sourceOf(calling, number)
  const { sendProxy, proxy } = calling
  const socket =
    proxy === undefined
      ? await dialPlain(streamAt(address), from, calling, timeoutMs, signal)
      : await dialThrough(
          parseProxy(proxy),
          address as HostAddress,
          from,
          calling,
          timeoutMs,
          signal,
        )
  if (sendProxy)
    await upon(socket, async () =>
      (await import('../core/proxy.ts')).sendProxyHeader(socket, sendProxy),
    )
  return socket
}

/** The time limit is for the connection and the proxy's answer together. */
async function dialThrough(
  proxy: Proxy,
  address: HostAddress,
  from: string | undefined,
  calling: Calling,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Socket> {
  const startedMs = performance.now()
  const { throughProxy, unreachable } = await import('../core/tunnel.ts')
  const { host, port } = proxy
  const socket = await dialPlain({ host, port }, from, calling, timeoutMs, signal).catch(
    (error: unknown) => {
      throw error instanceof UserError ? error : unreachable(address, proxy, error)
    },
  )
  const leftMs = Math.max(1, timeoutMs - (performance.now() - startedMs))
  await upon(socket, () => throughProxy(socket, address, proxy, leftMs))
  return socket
}

async function dialPlain(
  place: ReturnType<typeof streamAt>,
  from: string | undefined,
  calling: Calling,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Socket> {
  if (from !== undefined && 'host' in place && isIP(place.host) !== 0)
    reachableFrom({ source: [from] }, [place.host])
  const libc = libcFor(calling.socket)
  if (libc && 'host' in place) {
    const { dialPrepared } = await import('./prepared.ts')
    return dialPrepared(libc, place, from, calling, timeoutMs, signal)
  }
  // Each address of a name is tried (RFC 8305), whatever the default is.
  const options = {
    ...place,
    ...(from !== undefined && { localAddress: from, family: isIP(from) }),
    allowHalfOpen: true,
    noDelay: true,
    autoSelectFamily: true,
  }
  return whenConnected(connect(signal ? { ...options, signal } : options), timeoutMs)
}
