/**
 * A connected socket that sets the marks of the datagrams that it sends, and reads the marks of
 * those that come: the byte with DSCP and ECN (RFC 2474, RFC 3168), which node:dgram does not know.
 * Linux.
 */
import { isIPv4 } from 'node:net'
import type { HostAddress } from '../../vocabulary/address.ts'
import type { Calling } from '../../options/calling.ts'
import {
  AF_INET,
  AF_INET6,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_RECVTCLASS,
  IPV6_TCLASS,
  IP_RECVTOS,
  IP_TOS,
  MSG_DONTWAIT,
  SOL_SOCKET,
  SO_REUSEADDR,
  SO_REUSEPORT,
} from './kernel-numbers.ts'
import { openDatagrams, connectDatagrams } from './datagram-sockets.ts'
import { checked, loadLibc, type Libc } from './libc.ts'
import { mapOwned } from './owned-memory.ts'
import { peerOf } from './peer-name.ts'
import { setOption } from './socket-options.ts'
import { socketNameOf } from './sockets.ts'

/**
 * Where things lie in one mapping: msghdr (recvmsg(2)), its only iovec, its control messages, the
 * bytes.
 */
const pieceAt = 64
const controlAt = 128
const controlBytes = 128
const bytesAt = 512
const roomBytes = 2_048
const TWO32 = 2 ** 32

export interface Marked {
  data: Buffer
  mark: number
}

/** Why datagrams cannot be marked here: a sentence without its full stop; undefined if they can. */
export function noMarks(): string | undefined {
  if (process.platform !== 'linux') return 'marks are read on Linux only'
  const libc = loadLibc()
  return typeof libc === 'string' ? libc.replace(/\.$/, '') : undefined
}

export class MarkedSocket {
  readonly #libc: Libc
  readonly #fd: number
  readonly #isIPv4: boolean
  /** The address of this end. */
  readonly local: string
  readonly #all: Buffer
  readonly #words: Uint32Array
  #closed = false

  /** @param from the address of this machine. @throws the system's error */
  static to(peer: HostAddress, calling: Calling, from?: string): MarkedSocket {
    const libc = loadLibc() as Libc
    const fd = connectDatagrams(libc, peer, calling, from)
    return new MarkedSocket(libc, fd, isIPv4(peer.host))
  }

  /**
   * Takes the datagrams of one peer away from a socket that is bound to the same port: the system
   * prefers the one that is connected. Both sockets need SO_REUSEADDR for that, which is set only
   * for this moment.
   * @param sharePort threads share the port (SO_REUSEPORT)
   * @throws the system's error
   */
  static beside(shared: number, sharePort: boolean, local: HostAddress, peer: HostAddress) {
    const libc = loadLibc() as Libc
    const fd = openDatagrams(libc, isIPv4(peer.host) ? AF_INET : AF_INET6)
    try {
      setOption(libc, shared, SOL_SOCKET, SO_REUSEADDR, 1)
      setOption(libc, fd, SOL_SOCKET, SO_REUSEADDR, 1)
      if (sharePort) setOption(libc, fd, SOL_SOCKET, SO_REUSEPORT, 1)
      for (const [call, address] of [
        [libc.bind, local],
        [libc.connect, peer],
      ] as const) {
        const name = socketNameOf(libc, address)
        checked(libc, call(fd, name, name.length))
      }
      setOption(libc, fd, SOL_SOCKET, SO_REUSEADDR, 0)
      return new MarkedSocket(libc, fd, isIPv4(peer.host))
    } catch (error) {
      libc.close(fd)
      throw error
    } finally {
      setOption(libc, shared, SOL_SOCKET, SO_REUSEADDR, 0)
    }
  }

  private constructor(libc: Libc, fd: number, isIPv4: boolean) {
    this.#libc = libc
    this.#fd = fd
    this.#isIPv4 = isIPv4
    if (isIPv4) setOption(libc, fd, IPPROTO_IP, IP_RECVTOS, 1)
    else setOption(libc, fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1)
    const name = Buffer.alloc(28)
    const size = Buffer.from(Uint32Array.of(name.length).buffer)
    checked(libc, libc.getsockname(fd, name, size))
    this.local = peerOf(name)
    const mapping = mapOwned(libc, bytesAt + roomBytes)
    this.#all = Buffer.from(mapping.memory)
    const words = (this.#words = new Uint32Array(mapping.memory))
    const point = (at: number, to: number) => {
      words[at / 4] = (mapping.address + to) % TWO32
      words[at / 4 + 1] = (mapping.address + to) / TWO32
    }
    point(16, pieceAt)
    words[6] = 1
    point(32, controlAt)
    point(pieceAt, bytesAt)
    words[pieceAt / 4 + 2] = roomBytes
  }

  /** Sets the mark of all datagrams that are sent from now on. */
  set mark(mark: number) {
    if (this.#isIPv4) setOption(this.#libc, this.#fd, IPPROTO_IP, IP_TOS, mark)
    else setOption(this.#libc, this.#fd, IPPROTO_IPV6, IPV6_TCLASS, mark)
  }

  /** Sends a datagram; returns whether the system accepted it. */
  send(data: Uint8Array): boolean {
    return !this.#closed && this.#libc.send(this.#fd, data, data.length, MSG_DONTWAIT) >= 0
  }

  /** The next datagram that has come; undefined if there is none. */
  receive(): Marked | undefined {
    if (this.#closed) return undefined
    this.#words[10] = controlBytes
    const bytes = this.#libc.recvmsg(this.#fd, this.#all.subarray(0, pieceAt), MSG_DONTWAIT)
    if (bytes < 0) return undefined
    const data = Buffer.from(this.#all.subarray(bytesAt, bytesAt + bytes))
    return { data, mark: this.#markIn(this.#words[10]) }
  }

  /**
   * The mark in the control messages: length 8, level 4, type 4, content; each message begins at a
   * multiple of 8.
   */
  #markIn(length: number): number {
    const control = this.#all.subarray(controlAt, controlAt + length)
    for (let at = 0; at + 16 < control.length;) {
      const [level, type] = [control.readInt32LE(at + 8), control.readInt32LE(at + 12)]
      const isTos = level === IPPROTO_IP && type === IP_TOS
      const isClass = level === IPPROTO_IPV6 && type === IPV6_TCLASS
      if (isTos || isClass) return control.readUInt8(at + 16)
      at += Math.max(16, Math.ceil(control.readUInt32LE(at) / 8) * 8)
    }
    return 0
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#libc.close(this.#fd)
  }
}
