/**
 * Sends datagrams of one size to one peer by one call: the system takes them together, and cuts
 * them apart as late as it can (udp(7), UDP_SEGMENT). Linux 4.18.
 */
import type { HostAddress } from '../../vocabulary/address.ts'
import { errno, MSG_DONTWAIT, SOL_UDP, UDP_SEGMENT } from './kernel-numbers.ts'
import { loadLibc, type Libc } from './libc.ts'
import { mapOwned } from './owned-memory.ts'
import { socketNameOf } from './sockets.ts'

/** The most datagrams in a train (UDP_MAX_SEGMENTS is 128 since 6.9), and the most bytes. */
export const trainMax = 64
export const trainMaxBytes = 65_507

/**
 * Where things lie in one mapping: msghdr, its control message, its only iovec, the sockaddr of the
 * peer, the bytes.
 */
const controlAt = 64
const pieceAt = 96
const nameAt = 128
const bytesAt = 4096
const TWO32 = 2 ** 32

/** Errors after which there will be room later. */
const full = new Set<number>([errno.AGAIN, errno.NOBUFS])
const { IO, INVAL, MSGSIZE, NOPROTOOPT, OPNOTSUPP } = errno
const cannot = new Set<number>([IO, INVAL, MSGSIZE, NOPROTOOPT, OPNOTSUPP])

/**
 * Whether the system, or the path, refuses trains, so that each datagram has to be sent by itself.
 */
export const isForSingle = (result: number): boolean => cannot.has(result)

export type TrainSent = 'sent' | 'full' | 'cannot' | { failed: string }

export class DatagramTrain {
  /** Memory for the datagrams, which are written end to end. */
  readonly room: Buffer
  /** How many datagrams fit at most. */
  readonly count: number
  readonly #libc: Libc
  readonly #head: Buffer
  readonly #words: Uint32Array

  private constructor(libc: Libc, sizeBytes: number, peer: HostAddress | undefined) {
    this.#libc = libc
    this.count = Math.min(trainMax, Math.floor(trainMaxBytes / sizeBytes))
    const mapping = mapOwned(libc, bytesAt + this.count * sizeBytes)
    const all = Buffer.from(mapping.memory)
    this.#head = all.subarray(0, bytesAt)
    this.room = all.subarray(bytesAt, bytesAt + this.count * sizeBytes)
    const words = new Uint32Array(mapping.memory, 0, bytesAt / 4)
    this.#words = words
    const point = (at: number, to: number) => {
      words[at / 4] = (mapping.address + to) % TWO32
      words[at / 4 + 1] = (mapping.address + to) / TWO32
    }
    if (peer) {
      const name = socketNameOf(libc, peer)
      name.copy(all, nameAt)
      point(0, nameAt)
      words[2] = name.length
    }
    point(16, pieceAt)
    words[6] = 1
    point(32, controlAt)
    words[10] = 24
    // A cmsghdr: its length without padding, level, type; then the size of each.
    words[controlAt / 4] = 18
    words[controlAt / 4 + 2] = SOL_UDP
    words[controlAt / 4 + 3] = UDP_SEGMENT
    words[controlAt / 4 + 4] = sizeBytes
    point(pieceAt, bytesAt)
  }

  /**
   * Makes a train for one peer; undefined if this system cannot send trains.
   * @param peer undefined: the socket is connected
   */
  static to(sizeBytes: number, peer?: HostAddress): DatagramTrain | undefined {
    const libc = process.platform === 'linux' ? loadLibc() : 'no other system can'
    return typeof libc === 'string' ? undefined : new DatagramTrain(libc, sizeBytes, peer)
  }

  /** Sends the first `bytes` of the room. */
  send(fd: number, bytes: number): TrainSent {
    this.#words[pieceAt / 4 + 2] = bytes
    if (this.#libc.sendmsg(fd, this.#head, MSG_DONTWAIT) >= 0) return 'sent'
    const error = this.#libc.lastError()
    if (full.has(error)) return 'full'
    return isForSingle(error) ? 'cannot' : { failed: this.#libc.errorName() }
  }
}
