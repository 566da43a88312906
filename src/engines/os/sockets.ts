/** Sockets made by system calls, for the engines that do without node:net. Linux. */
import { isIPv4, isIPv6 } from 'node:net'
import type { Address, HostAddress } from '../../vocabulary/address.ts'
import { UserError } from '../../vocabulary/errors.ts'
import { ipBytes } from '../../vocabulary/ip-bytes.ts'
import type { Calling } from '../../options/calling.ts'
import { reachableFrom } from '../../options/route.ts'
import { explain } from '../failures.ts'
import { checked, systemError, type Libc } from './libc.ts'
import { addressesOf } from './resolver.ts'
import { claimPath, provisional, releasePath } from './unix.ts'
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  IPPROTO_IP,
  IPPROTO_TCP,
  IP_BIND_ADDRESS_NO_PORT,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_KEEPALIVE,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_TIMESTAMPNS,
  TCP_KEEPIDLE,
  TCP_NODELAY,
} from './kernel-numbers.ts'
import { applyOptions, setOption } from './socket-options.ts'

/** The kernel cuts it to net.core.somaxconn. */
const backlog = 65_535
/** As with node:net: the idle time after which keep-alive probes the peer. */
const keepIdleSeconds = 60

export interface ListeningSocket {
  readonly fd: number
  /** The address, with the port that the system gave. */
  readonly address: Address
  /** Closes the socket, and removes its path if it has one. */
  close(): void
}

/**
 * Binds and listens. Accepted sockets inherit TCP_NODELAY and keep-alive from it (tcp(7)).
 * @throws UserError if it cannot listen at the address
 */
export async function listenOn(
  libc: Libc,
  address: Address,
  sharePort: boolean,
): Promise<ListeningSocket> {
  try {
    if (address.transport === 'unix') return await listenOnPath(libc, address)
    const { host, family } = await resolveHost(address.host)
    return listenOnPort(libc, { ...address, host }, family, sharePort)
  } catch (error) {
    throw error instanceof UserError ? error : explain('listen on', address, error)
  }
}

/** The first address of a name, which node:net takes, too. */
export async function resolveHost(host: string): Promise<{ host: string; family: number }> {
  const [bare] = host.split('%') as [string]
  if (isIPv4(host)) return { host, family: AF_INET }
  if (isIPv6(bare)) return { host, family: AF_INET6 }
  const { lookup } = await import('node:dns/promises')
  const found = await lookup(host)
  return { host: found.address, family: found.family === 6 ? AF_INET6 : AF_INET }
}

function listenOnPort(libc: Libc, address: HostAddress, family: number, sharePort: boolean) {
  const fd = checked(libc, libc.socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0))
  try {
    setOption(libc, fd, SOL_SOCKET, SO_REUSEADDR, 1)
    if (sharePort) setOption(libc, fd, SOL_SOCKET, SO_REUSEPORT, 1)
    setOption(libc, fd, SOL_SOCKET, SO_KEEPALIVE, 1)
    setOption(libc, fd, IPPROTO_TCP, TCP_KEEPIDLE, keepIdleSeconds)
    setOption(libc, fd, IPPROTO_TCP, TCP_NODELAY, 1)
    const name = socketNameOf(libc, address)
    checked(libc, libc.bind(fd, name, name.length))
    checked(libc, libc.listen(fd, backlog))
    const size = Buffer.from(Uint32Array.of(name.length).buffer)
    checked(libc, libc.getsockname(fd, name, size))
    const close = () => void libc.close(fd)
    return { fd, address: { ...address, port: name.readUInt16BE(2) }, close }
  } catch (error) {
    libc.close(fd)
    throw error
  }
}

/** A socket that is not connected yet, and the sockaddr to connect it to. */
export interface UnconnectedSocket {
  /** @param from the address of this machine that it is bound to */
  open: (from?: string) => number
  name: Buffer
}

/**
 * A socket for each address of a name, in the order in which the addresses are to be tried.
 * @param stamped whether the kernel stamps what arrives
 */
export async function waysTo(
  libc: Libc,
  address: Address,
  calling: Calling = {},
  stamped = false,
): Promise<[UnconnectedSocket, ...UnconnectedSocket[]]> {
  if (address.transport === 'unix') {
    const open = () => checked(libc, libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
    return [{ open, name: unixName(Buffer.from(address.path)) }]
  }
  const hosts = reachableFrom(calling, await addressesOf(address.host))
  return hosts.map(host => wayTo(libc, { ...address, host }, calling, stamped)) as [
    UnconnectedSocket,
    ...UnconnectedSocket[],
  ]
}

/** @param at a numeric address */
export function wayTo(
  libc: Libc,
  at: HostAddress,
  { socket }: Calling,
  stamped = false,
): UnconnectedSocket {
  const family = isIPv4(at.host) ? AF_INET : AF_INET6
  const name = socketNameOf(libc, at)
  const open = (from?: string) => {
    const fd = checked(libc, libc.socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0))
    try {
      setOption(libc, fd, IPPROTO_TCP, TCP_NODELAY, 1)
      if (stamped) setOption(libc, fd, SOL_SOCKET, SO_TIMESTAMPNS, 1)
      applyOptions(libc, fd, family, socket)
      if (from !== undefined) bindFrom(libc, fd, from)
      return fd
    } catch (error) {
      libc.close(fd)
      throw error
    }
  }
  return { open, name }
}

/**
 * Binds a client to an address of this machine. The system chooses the port only when the client
 * connects, so clients with different destinations can have the same port.
 */
export function bindFrom(libc: Libc, fd: number, host: string): void {
  const name = socketNameOf(libc, { transport: 'tcp', host, port: 0 })
  setOption(libc, fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
  checked(libc, libc.bind(fd, name, name.length))
}

/** sockaddr_un of unix(7): family 2, path with its final NUL. */
const unixName = (path: Buffer): Buffer =>
  Buffer.concat([Buffer.from([AF_UNIX, 0]), path, Buffer.alloc(1)])

/** The sockaddr of a numeric address. */
export const socketNameOf = (libc: Libc, address: HostAddress): Buffer =>
  isIPv4(address.host) ? ipv4Name(address) : ipv6Name(libc, address)

/** sockaddr_in of ip(7): family 2, port 2, address 4, zeros. */
function ipv4Name({ host, port }: HostAddress): Buffer {
  const name = Buffer.alloc(16)
  name.writeUInt16LE(AF_INET, 0)
  name.writeUInt16BE(port, 2)
  name.set(ipBytes(host), 4)
  return name
}

/** sockaddr_in6 of ipv6(7): family 2, port 2, flow 4, address 16, scope 4. */
function ipv6Name(libc: Libc, { host, port }: HostAddress): Buffer {
  const [bare, zone] = host.split('%') as [string, string | undefined]
  const name = Buffer.alloc(28)
  name.writeUInt16LE(AF_INET6, 0)
  name.writeUInt16BE(port, 2)
  name.set(ipBytes(bare), 8)
  if (zone !== undefined) {
    const scope = Number(zone) || libc.if_nametoindex(Buffer.from(`${zone}\0`))
    if (scope === 0) throw systemError('EADDRNOTAVAIL')
    name.writeUInt32LE(scope, 24)
  }
  return name
}

async function listenOnPath(
  libc: Libc,
  address: Extract<Address, { transport: 'unix' }>,
): Promise<ListeningSocket> {
  const fd = checked(libc, libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
  try {
    const path = Buffer.from(provisional(address))
    const name = unixName(path)
    checked(libc, libc.bind(fd, name, name.length))
    checked(libc, libc.listen(fd, backlog))
    const inode = await claimPath(address)
    const close = () => {
      libc.close(fd)
      releasePath(address.path, inode)
    }
    return { fd, address, close }
  } catch (error) {
    libc.close(fd)
    throw error
  }
}
