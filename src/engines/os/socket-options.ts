/** Sets options of sockets, above all what a client asks for before it connects. Linux. */
import { readFileSync } from 'node:fs'
import { usageError } from '../../vocabulary/errors.ts'
import type { SocketOptions } from '../../options/socket.ts'
import { checked, loadLibc, systemError, type Libc } from './libc.ts'
import {
  AF_INET,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_TCLASS,
  IP_TOS,
  SOL_SOCKET,
  SO_BINDTODEVICE,
  SO_RCVBUF,
  SO_SNDBUF,
  TCP_CONGESTION,
} from './kernel-numbers.ts'

/**
 * The C library if any of these options is set; else undefined.
 * @throws UserError if it is not there
 */
export function libcFor(options: SocketOptions = {}): Libc | undefined {
  const [asked] = Object.entries(options).find(([, value]) => value !== undefined) ?? []
  if (asked === undefined) return undefined
  const libc = process.platform === 'linux' ? loadLibc() : 'This is not Linux.'
  if (typeof libc !== 'string') return libc
  throw usageError(`${asked} cannot be set here: ${libc}`, 'Leave it out.')
}

/** @throws UserError if the system does not have or allow it */
export function applyOptions(
  libc: Libc,
  fd: number,
  family: number,
  options: SocketOptions = {},
): void {
  const { interface: device, dscp, sendBufferBytes, receiveBufferBytes, congestion } = options
  if (device !== undefined) setName(libc, fd, SOL_SOCKET, SO_BINDTODEVICE, device, deviceRefused)
  const [level, name] = family === AF_INET ? [IPPROTO_IP, IP_TOS] : [IPPROTO_IPV6, IPV6_TCLASS]
  // The two bits below are for congestion (RFC 3168).
  if (dscp !== undefined) setOption(libc, fd, level, name, dscp << 2)
  if (sendBufferBytes !== undefined) setBuffer(libc, fd, SO_SNDBUF, sendBufferBytes)
  if (receiveBufferBytes !== undefined) setBuffer(libc, fd, SO_RCVBUF, receiveBufferBytes)
  if (congestion !== undefined)
    setName(libc, fd, IPPROTO_TCP, TCP_CONGESTION, congestion, controlRefused)
}

export function setOption(libc: Libc, fd: number, level: number, name: number, value: number) {
  checked(libc, libc.setsockopt(fd, level, name, Buffer.from(Int32Array.of(value).buffer), 4))
}

/**
 * Sets a buffer, and checks it: the kernel reduces a size that is too large without an error, and
 * reports twice the size (socket(7)).
 */
function setBuffer(libc: Libc, fd: number, name: number, bytes: number): void {
  setOption(libc, fd, SOL_SOCKET, name, bytes)
  const value = Buffer.alloc(4)
  const size = Buffer.from(Uint32Array.of(4).buffer)
  checked(libc, libc.getsockopt(fd, SOL_SOCKET, name, value, size))
  const given = value.readInt32LE(0) / 2
  if (given >= bytes) return
  const limit = name === SO_SNDBUF ? 'net.core.wmem_max' : 'net.core.rmem_max'
  throw usageError(
    `This system allows a buffer of ${given} bytes at most, not ${bytes}.`,
    `Raise ${limit} with sysctl, or ask for less.`,
  )
}

function setName(
  libc: Libc,
  fd: number,
  level: number,
  name: number,
  value: string,
  refused: (value: string, code: string) => Error,
): void {
  const bytes = Buffer.from(`${value}\0`)
  if (libc.setsockopt(fd, level, name, bytes, bytes.length) < 0)
    throw refused(value, libc.errorName())
}

function deviceRefused(name: string, code: string): Error {
  if (code === 'ENODEV')
    return usageError(`This machine has no network interface '${name}'.`, 'See `ip link`.')
  if (code === 'EPERM')
    return usageError(
      `No socket may be bound to the interface '${name}' here (EPERM).`,
      'Use --source, or be root.',
    )
  return systemError(code)
}

function controlRefused(name: string, code: string): Error {
  const list = (of: string) => {
    try {
      return readFileSync(`/proc/sys/net/ipv4/tcp_${of}_congestion_control`, 'utf8').trim()
    } catch {
      return 'unknown'
    }
  }
  if (code === 'ENOENT')
    return usageError(
      `This system has no congestion control '${name}'.`,
      `It has: ${list('available')}.`,
    )
  if (code === 'EPERM')
    return usageError(
      `Only root may use the congestion control '${name}' here.`,
      `Others may use: ${list('allowed')}.`,
    )
  return systemError(code)
}
