/**
 * Where datagrams arrive: each in a buffer of its own, behind its source. Datagrams that one peer
 * has sent in one call (UDP_SEGMENT) may lie there together (UDP_GRO): all have one size, and only
 * the last may be shorter. With a clock the kernel stamps what arrives; then bytes of tcp may
 * arrive here, too.
 *
 * The layout of a buffer:
 *
 *   io_uring_recvmsg_out 16 bytes: lengths of name, control messages and payload; flags
 *   the name (sockaddr), the control messages, the payload
 */
import { isStamp, stampControlBytes, type KernelClock } from '../os/kernel-clock.ts'
import type { Libc, Mapping } from '../os/libc.ts'
import { SOL_UDP, UDP_GRO } from '../os/kernel-numbers.ts'
import { BufferRing } from './memory.ts'
import { receiveMessages } from './entries.ts'
import type { Ring } from './ring.ts'

const outBytes = 16
/** cmsghdr 16, an integer with the size of a datagram 4, and 4 that align. */
const sizeControlBytes = 24
/**
 * Room for the longest datagram and for everything in front of it. Pages are touched only where
 * bytes are written. The size is not a power of two: otherwise the beginnings of all buffers would
 * share a few cache lines.
 */
const bufferBytes = 65_728
/**
 * How many buffers there are at most, and how many at first. The kernel uses one after the other,
 * so with many buffers none stays in the cache.
 */
const buffersMax = 256
const buffersFirst = 64

export class Inbox {
  readonly bufferRing: BufferRing
  /** The buffers as words, for everything in front of the payload; and as bytes. */
  readonly words: Int32Array
  readonly bytes: Buffer
  readonly #ring: Ring
  readonly #nameBytes: number
  readonly #libc: Libc
  readonly #clock: KernelClock | undefined
  readonly #header: Mapping
  #given = buffersFirst
  /** Offsets from the beginning of a buffer. */
  readonly nameAt = outBytes
  readonly payloadAt: number

  /**
   * @param nameBytes how long the names of sources are; 0 if sockets are connected
   * @param clock set if sockets have SO_TIMESTAMPNS
   */
  constructor(libc: Libc, ring: Ring, nameBytes: number, clock?: KernelClock) {
    this.#libc = libc
    this.#clock = clock
    const controlBytes = sizeControlBytes + (clock ? stampControlBytes : 0)
    this.#ring = ring
    this.#nameBytes = nameBytes
    this.payloadAt = outBytes + nameBytes + controlBytes
    this.bufferRing = new BufferRing(libc, ring, buffersMax, bufferBytes, 0, buffersFirst)
    this.bytes = Buffer.from(this.bufferRing.bytes.buffer)
    this.words = new Int32Array(this.bufferRing.bytes.buffer, 0, (buffersMax * bufferBytes) / 4)
    // msghdr: name 8, its size 4 and 4 that align, iov 8, their number 8, control 8, its size 8.
    this.#header = libc.map(4096)
    const header = new Uint32Array(this.#header.memory)
    header[2] = nameBytes
    header[10] = controlBytes
  }

  /** Begins to receive on a socket, or begins again. */
  receive(slot: number, generation = 0): void {
    receiveMessages(this.#ring, slot, this.#header.address, generation)
  }

  /** No buffer was left: doubles the number of buffers that the kernel has, up to the maximum. */
  grow(): void {
    const to = Math.min(buffersMax, 2 * this.#given)
    for (; this.#given < to; this.#given++) this.bufferRing.give(this.#given)
  }

  /** Whether this many used buffers are more than half of all. */
  isCrowded(used: number): boolean {
    return used > this.#given / 2
  }

  /** Where a buffer begins. */
  startOf(id: number): number {
    return id * bufferBytes
  }

  payloadBytes(start: number): number {
    return this.words[(start >> 2) + 2]!
  }

  /** The size of each datagram in a buffer with several; else the size of the only one. */
  sizeBytes(start: number): number {
    const { words } = this
    const word = start >> 2
    const stampBytes = this.#isStamped(word) ? stampControlBytes : 0
    if (words[word + 1]! - stampBytes < 20) return words[word + 2]!
    const control = this.#controlOf(word) + stampBytes / 4
    const isSize = words[control + 2] === SOL_UDP && words[control + 3] === UDP_GRO
    return isSize ? words[control + 4]! : words[word + 2]!
  }

  /**
   * When the kernel received the last datagram of a buffer, on the clock of this thread; `now` if
   * there is no stamp, or if it is impossible because the clock was set.
   */
  cameNs(start: number, now: number): number {
    const word = start >> 2
    if (!this.#isStamped(word)) return now
    return this.#clock!.cameNs(this.words, this.#controlOf(word), now)
  }

  /** Whether the first control message is a stamp. */
  #isStamped(word: number): boolean {
    if (this.#clock === undefined || this.words[word + 1]! < stampControlBytes) return false
    return isStamp(this.words, this.#controlOf(word))
  }

  #controlOf(word: number): number {
    return word + (outBytes + this.#nameBytes) / 4
  }

  /** To be called after the ring is closed. */
  close(): void {
    this.bufferRing.close()
    this.#libc.unmap(this.#header)
  }
}
