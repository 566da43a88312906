/**
 * Sockets for datagrams: bound or connected, with a buffer for a burst. They never look up a name.
 */
import { createSocket, type Socket, type SocketOptions as DatagramOptions } from 'node:dgram'
import { once } from 'node:events'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { HostAddress } from '../../../vocabulary/address.ts'
import type { Calling } from '../../../options/calling.ts'
import { reachableFrom, sourceOf } from '../../../options/route.ts'
import type { SocketOptions } from '../../../options/socket.ts'
import { descriptorOf } from '../../os/datagram-descriptor.ts'
import { bufferBytes } from '../../os/datagram-sockets.ts'
import { AF_INET, AF_INET6 } from '../../os/kernel-numbers.ts'
import { loadLibc, type Libc } from '../../os/libc.ts'
import { addressesOf } from '../../os/resolver.ts'
import { applyOptions, libcFor } from '../../os/socket-options.ts'

/**
 * A lookup() that returns numeric addresses at once: node:dgram would look up every address it
 * sends to, in a later turn.
 */
const known = (
  host: string,
  _family: unknown,
  callback: (error: null, address: string, family: number) => void,
) => callback(null, host, isIP(host))

/**
 * How much freed memory is kept (see core/serve). With less, a datagram of 60 kB would cost three
 * quarters more time.
 */
const keptBytes = 32 * 2 ** 20

/** Makes the C library keep the memory that Node allocates for each datagram and soon frees. */
export function keepFreed(): void {
  const libc = loadLibc()
  if (typeof libc !== 'string') libc.keepFreed(keptBytes)
}

/** The addresses of a target; after a refusal the next one is tried. */
export class Candidates {
  readonly #port: number
  readonly #hosts: readonly string[]
  readonly #calling: Calling
  /** The number of the connection, by which sources take turns. */
  readonly #number: number
  #at = 0

  /** @throws the resolver's error */
  static async of({ host, port }: HostAddress, calling: Calling): Promise<Candidates> {
    return new Candidates(port, reachableFrom(calling, await addressesOf(host)), calling, 0)
  }

  private constructor(port: number, hosts: readonly string[], calling: Calling, number: number) {
    this.#port = port
    this.#hosts = hosts
    this.#calling = calling
    this.#number = number
  }

  get hosts(): readonly string[] {
    return this.#hosts
  }

  /** Whether an address is left that was not tried. */
  get hasNext(): boolean {
    return this.#at < this.#hosts.length
  }

  /** Begins again with the first address, for another socket. */
  again(number: number): Candidates {
    return new Candidates(this.#port, this.#hosts, this.#calling, number)
  }

  /**
   * The next address to which the system has a route. @throws the system's error, if there is none
   */
  async connect(): Promise<Socket> {
    for (;;) {
      const host = this.#hosts[this.#at++]!
      try {
        const address = { transport: 'udp', host, port: this.#port } as const
        const from = sourceOf(this.#calling, this.#number)
        return await connectSocket(address, from, this.#calling.socket)
      } catch (error) {
        if (!this.hasNext) throw error
      }
    }
  }
}

/**
 * The address with the host as a number.
 * @throws the resolver's error
 */
export async function resolved(address: HostAddress): Promise<HostAddress> {
  if (isIP(address.host) !== 0) return address
  return { ...address, host: (await lookup(address.host)).address }
}

/**
 * @param sharePort several threads share the port (SO_REUSEPORT)
 * @throws the system's error
 */
export async function bindSocket({ host, port }: HostAddress, sharePort: boolean): Promise<Socket> {
  const socket = create(host, sharePort)
  const listening = once(socket, 'listening')
  socket.bind({ address: host, port, exclusive: true })
  return ready(socket, listening)
}

/**
 * Takes over a socket that the parent process has bound.
 * @throws the system's error
 */
export async function adoptSocket(fd: number): Promise<Socket> {
  const adopt = (fd: number, host: string) => {
    const socket = create(host, false)
    const listening = once(socket, 'listening')
    socket.bind({ fd })
    return ready(socket, listening)
  }
  const socket = await adopt(fd, '0.0.0.0')
  const libc = loadLibc()
  if (socket.address().family === 'IPv4' || typeof libc === 'string') return socket
  // Only a socket of family IPv6 reports IPv6. Closing the first socket closes its descriptor, so
  // the second one gets a copy.
  const other = await adopt(libc.dup(fd), '::')
  socket.close()
  return other
}

/**
 * Connects a socket, so that it receives only from this address.
 * @throws the system's error
 */
async function connectSocket(
  { host, port }: HostAddress,
  from: string | undefined,
  options: SocketOptions | undefined,
): Promise<Socket> {
  const libc = libcFor(options)
  const socket = create(host, false)
  const isBound = from !== undefined || libc !== undefined
  if (isBound) {
    const bound = once(socket, 'listening')
    socket.bind({ address: from ?? (isIP(host) === 6 ? '::' : '0.0.0.0'), port: 0 })
    await ready(socket, bound)
  }
  if (libc) giveOptions(libc, socket, isIP(host) === 6 ? AF_INET6 : AF_INET, options)
  const connected = once(socket, 'connect')
  socket.connect(port, host)
  return isBound ? succeeded(socket, connected) : ready(socket, connected)
}

/** Sets options. They need a descriptor, which a socket has once it is bound. */
function giveOptions(
  libc: Libc,
  socket: Socket,
  family: number,
  options: SocketOptions | undefined,
): void {
  try {
    applyOptions(libc, descriptorOf(socket)!, family, options)
  } catch (error) {
    socket.close()
    throw error
  }
}

function create(host: string, sharePort: boolean): Socket {
  const type = isIP(host) === 6 ? 'udp6' : 'udp4'
  // The typings of Node 20 do not know `reusePort`.
  const options = { type, lookup: known, ...(sharePort && { reusePort: true }) }
  return createSocket(options as unknown as DatagramOptions)
}

/** Closes the socket if that fails. */
async function succeeded(socket: Socket, event: Promise<unknown>): Promise<Socket> {
  try {
    await event
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

async function ready(socket: Socket, event: Promise<unknown>): Promise<Socket> {
  await succeeded(socket, event)
  enlarge(bytes => socket.setRecvBufferSize(bytes))
  enlarge(bytes => socket.setSendBufferSize(bytes))
  return socket
}

/** Sets a buffer size. Linux reduces a size that is too large; other systems refuse it. */
function enlarge(set: (bytes: number) => void) {
  for (let bytes = bufferBytes; bytes >= 2 ** 18; bytes /= 2) {
    try {
      return set(bytes)
    } catch {
      continue
    }
  }
}
