/**
 * Reads from sockets, and says when the kernel received the bytes (SO_TIMESTAMPNS, socket(7)).
 * Linux.
 */
import { isStamp, KernelClock, stampControlBytes } from './kernel-clock.ts'
import { MSG_DONTWAIT, SOL_SOCKET, SO_TIMESTAMPNS } from './kernel-numbers.ts'
import type { Libc } from './libc.ts'
import { mapOwned } from './owned-memory.ts'

/**
 * Where things lie in one mapping: msghdr (recvmsg(2)), its only iovec, its control messages, the
 * bytes.
 */
const headerBytes = 56
const pieceAt = 64
const controlAt = 128
const bytesAt = 256
const roomBytes = 128 * 1024
/** How often to check whether the clock of the system was set. */
const checkEveryNs = 100e6
const TWO32 = 2 ** 32

export class StampedReader {
  /** The bytes that were read last are at the beginning. */
  readonly bytes: Buffer
  readonly #libc: Libc
  readonly #clock: KernelClock
  readonly #header: Uint8Array
  readonly #words: Uint32Array
  #checkNs = 0

  constructor(libc: Libc) {
    this.#libc = libc
    this.#clock = new KernelClock(libc)
    const { memory, address } = mapOwned(libc, bytesAt + roomBytes)
    this.bytes = Buffer.from(memory, bytesAt)
    this.#header = new Uint8Array(memory, 0, headerBytes)
    const words = (this.#words = new Uint32Array(memory, 0, bytesAt / 4))
    const point = (at: number, to: number) => {
      words[at / 4] = (address + to) % TWO32
      words[at / 4 + 1] = (address + to) / TWO32
    }
    point(16, pieceAt)
    words[6] = 1
    point(32, controlAt)
    point(pieceAt, bytesAt)
    words[pieceAt / 4 + 2] = roomBytes
  }

  /** Tells the kernel to stamp what arrives at a socket from now on; false if it cannot. */
  stamp(fd: number): boolean {
    const on = Buffer.from(Int32Array.of(1).buffer)
    return this.#libc.setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, on, on.length) === 0
  }

  /**
   * Reads once. Returns how many bytes came (0: the end), or the name of an error (also EAGAIN).
   */
  read(fd: number): number | string {
    this.#words[10] = stampControlBytes
    const length = this.#libc.recvmsg(fd, this.#header, MSG_DONTWAIT)
    return length < 0 ? this.#libc.errorName() : length
  }

  /**
   * When the kernel received the last of the bytes that were read, on the clock of this thread;
   * `now` if there is no stamp, or if it is impossible because the clock was set.
   */
  cameNs(now: number): number {
    const [words, control] = [this.#words, controlAt / 4]
    if (words[10]! < stampControlBytes || !isStamp(words, control)) return now
    if (now >= this.#checkNs) {
      this.#clock.check()
      this.#checkNs = now + checkEveryNs
    }
    return this.#clock.cameNs(words, control, now)
  }
}
