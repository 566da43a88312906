/** Sockets for datagrams made by system calls, for engines without node:dgram. Linux. */
import { isIPv4 } from 'node:net'
import type { HostAddress } from '../../vocabulary/address.ts'
import { usageError, UserError } from '../../vocabulary/errors.ts'
import type { Calling } from '../../options/calling.ts'
import type { LoadTask } from '../../task.ts'
import { explain } from '../failures.ts'
import {
  AF_INET,
  AF_INET6,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOL_SOCKET,
  SO_RCVBUF,
  SO_REUSEPORT,
  SO_SNDBUF,
} from './kernel-numbers.ts'
import { checked, type Libc } from './libc.ts'
import { applyOptions, setOption } from './socket-options.ts'
import { bindFrom, socketNameOf, resolveHost } from './sockets.ts'

/** The longest payload: 65,535 without the headers of UDP and IPv4 (RFC 768, RFC 791). */
const ipv4MaxBytes = 65_507
/** IPv6 does not count its own header (RFC 8200 section 3). */
const ipv6MaxBytes = 65_527

/**
 * The receive buffer to ask for; the system gives no more than net.core.rmem_max. A datagram of 64
 * bytes takes about 768 bytes of it.
 */
export const bufferBytes = 4 * 2 ** 20

export interface DatagramSocket {
  readonly fd: number
  /** The address, with the port that the system gave. */
  readonly address: HostAddress
  /** How many bytes a sockaddr of its family has. */
  readonly nameBytes: number
}

/**
 * @param sharePort several threads share the port (SO_REUSEPORT)
 * @throws UserError if it cannot be bound to the address
 */
export async function bindDatagrams(
  libc: Libc,
  address: HostAddress,
  sharePort: boolean,
): Promise<DatagramSocket> {
  try {
    const { host, family } = await resolveHost(address.host)
    const fd = openDatagrams(libc, family)
    try {
      if (sharePort) setOption(libc, fd, SOL_SOCKET, SO_REUSEPORT, 1)
      const name = socketNameOf(libc, { ...address, host })
      checked(libc, libc.bind(fd, name, name.length))
      const size = Buffer.from(Uint32Array.of(name.length).buffer)
      checked(libc, libc.getsockname(fd, name, size))
      const port = name.readUInt16BE(2)
      return { fd, address: { ...address, port }, nameBytes: name.length }
    } catch (error) {
      libc.close(fd)
      throw error
    }
  } catch (error) {
    throw error instanceof UserError ? error : explain('listen on', address, error)
  }
}

/**
 * Opens a socket that receives only from this address.
 * @throws the system's error
 */
export function connectDatagrams(
  libc: Libc,
  address: HostAddress,
  { socket }: Calling,
  from?: string,
): number {
  const family = isIPv4(address.host) ? AF_INET : AF_INET6
  const fd = openDatagrams(libc, family)
  try {
    applyOptions(libc, fd, family, socket)
    if (from !== undefined) bindFrom(libc, fd, from)
    const name = socketNameOf(libc, address)
    checked(libc, libc.connect(fd, name, name.length))
    return fd
  } catch (error) {
    libc.close(fd)
    throw error
  }
}

/** Whether a load can be sent to these hosts. @throws UserError if it cannot */
export function checkDestinations({ address, sizes }: LoadTask, hosts: readonly string[]): void {
  if ((address as HostAddress).port === 0)
    throw usageError('No server can be reached on port 0.', 'Port 0 is only for listening.')
  const longest = Math.max(...sizes.map(size => size.maxBytes))
  for (const host of hosts) {
    const maxBytes = host.includes(':') ? ipv6MaxBytes : ipv4MaxBytes
    if (longest > maxBytes)
      throw usageError(`A datagram to ${host} has ${maxBytes} bytes at most, not ${longest}.`)
  }
}

/** A socket with room for a burst. @throws the system's error */
export function openDatagrams(libc: Libc, family: number): number {
  const fd = checked(libc, libc.socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0))
  // Linux reduces a size that is too large.
  setOption(libc, fd, SOL_SOCKET, SO_RCVBUF, bufferBytes)
  setOption(libc, fd, SOL_SOCKET, SO_SNDBUF, bufferBytes)
  return fd
}
