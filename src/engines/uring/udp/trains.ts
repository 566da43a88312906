/**
 * Datagrams of one size to one peer that the kernel takes as one (udp(7), UDP_SEGMENT). A train is
 * a msghdr, a control message with the size, and an iovec for each datagram, so the bytes may lie
 * anywhere.
 */
import { trainMax } from '../../os/datagram-train.ts'
import type { Libc, Mapping } from '../../os/libc.ts'
import { SOL_UDP, UDP_SEGMENT } from '../../os/kernel-numbers.ts'

const TWO32 = 2 ** 32

/** A msghdr has 56 bytes, a cmsghdr 16, before the size with 2; an iovec has 16. */
const controlAt = 64
const controlBytes = 24
const piecesAt = 128
const blockBytes = piecesAt + trainMax * 16

export class Trains {
  readonly #libc: Libc
  readonly #memory: Mapping
  readonly #words: Uint32Array

  /** @param nameBytes how long the names of destinations are; 0 if they are connected */
  constructor(libc: Libc, count: number, nameBytes: number) {
    this.#libc = libc
    this.#memory = libc.map(count * blockBytes)
    const words = new Uint32Array(this.#memory.memory)
    this.#words = words
    for (let n = 0; n < count; n++) {
      const at = (n * blockBytes) / 4
      const address = this.address(n)
      words[at + 2] = nameBytes
      words[at + 4] = (address + piecesAt) % TWO32
      words[at + 5] = (address + piecesAt) / TWO32
      words[at + 8] = (address + controlAt) % TWO32
      words[at + 9] = (address + controlAt) / TWO32
      words[at + 10] = controlBytes
      const control = at + controlAt / 4
      words[control] = 18
      words[control + 2] = SOL_UDP
      words[control + 3] = UDP_SEGMENT
    }
  }

  /** The address of the train's msghdr. */
  address(train: number): number {
    return this.#memory.address + train * blockBytes
  }

  /**
   * Begins a new train, without datagrams.
   * @param name the address of the sockaddr
   */
  begin(train: number, name: number, sizeBytes: number): void {
    const at = (train * blockBytes) / 4
    const words = this.#words
    words[at] = name % TWO32
    words[at + 1] = name / TWO32
    words[at + 6] = 0
    words[at + controlAt / 4 + 4] = sizeBytes
  }

  add(train: number, address: number, bytes: number): void {
    const at = (train * blockBytes) / 4
    const words = this.#words
    const piece = at + piecesAt / 4 + words[at + 6]!++ * 4
    words[piece] = address % TWO32
    words[piece + 1] = address / TWO32
    words[piece + 2] = bytes
  }

  /** Calls for each datagram. */
  forEach(train: number, sizeBytes: number, use: (address: number, bytes: number) => void): void {
    const at = (train * blockBytes) / 4
    const words = this.#words
    for (let n = 0; n < words[at + 6]!; n++) {
      const piece = at + piecesAt / 4 + n * 4
      const address = words[piece]! + words[piece + 1]! * TWO32
      const bytes = words[piece + 2]!
      for (let done = 0; done < bytes; done += sizeBytes)
        use(address + done, Math.min(sizeBytes, bytes - done))
    }
  }

  /** To be called after the ring is closed. */
  close(): void {
    this.#libc.unmap(this.#memory)
  }
}
