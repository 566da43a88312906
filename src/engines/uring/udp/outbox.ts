/**
 * The memory into which a load writes its datagrams. The kernel takes them from there at the next
 * io_uring_enter(2).
 */
import type { Libc, Mapping } from '../../os/libc.ts'
import { kind, sendDatagram, sendMessage, tag } from '../entries.ts'
import type { Ring } from '../ring.ts'
import { trainMax, trainMaxBytes } from '../../os/datagram-train.ts'
import { Trains } from './trains.ts'

/**
 * The size of the memory. Only pages that are written cost anything, usually those at the
 * beginning.
 */
const roomBytes = 2 ** 23
const trainsMax = 1_024

/**
 * A run is a number of datagrams of one stream that are sent together. Its user_data has the number
 * of the first in the lower bits, and above them how many follow it.
 */
const sequenceBits = 26
export const sentCountOf = (user1: number): number => (user1 >>> sequenceBits) + 1
/** The number of the first datagram of a run: the last one before `next` with these lower bits. */
export function firstOf(user1: number, next: number): number {
  const span = 2 ** sequenceBits
  const low = user1 & (span - 1)
  const sequence = Math.floor(next / span) * span + low
  return sequence < next ? sequence : sequence - span
}

export class DatagramOutbox {
  readonly bytes: Buffer
  readonly #libc: Libc
  readonly #ring: Ring
  readonly #memory: Mapping
  readonly #trains: Trains
  #trainsUsed = 0
  /** Datagrams larger than this are not sent together: the path has refused to divide them. */
  #trainSizeMax = trainMaxBytes
  /** The place after the last datagram. */
  #end = 0
  /** The run that is being written: its slot, its place, its first datagram, and how many. */
  #slot = 0
  #at = 0
  #sequence = 0
  #count = 0
  #size = 0

  constructor(libc: Libc, ring: Ring) {
    this.#libc = libc
    this.#ring = ring
    this.#memory = libc.map(roomBytes)
    this.bytes = Buffer.from(this.#memory.memory)
    this.#trains = new Trains(libc, trainsMax, 0)
  }

  /** To be called before anything is written in a turn: what was submitted is sent. */
  begin(): void {
    if (this.#ring.pending > 0) return
    this.#end = 0
    this.#trainsUsed = 0
  }

  /** Where to write the next datagram of a stream. */
  place(slot: number, sequence: number, size: number): number {
    if (this.#end + size > roomBytes) this.#submit()
    const isAlone = size === 0 || size > this.#trainSizeMax
    const mayJoin = this.#count > 0 && size === this.#size && slot === this.#slot && !isAlone
    const isFull = this.#count === trainMax || (this.#count + 1) * size > trainMaxBytes
    if (!mayJoin || isFull) {
      this.flush()
      this.#slot = slot
      this.#at = this.#end
      this.#sequence = sequence
      this.#size = size
    }
    this.#count++
    const at = this.#end
    this.#end += size
    return at
  }

  /** Sends the run that was written. */
  flush(): void {
    const count = this.#count
    if (count === 0) return
    this.#count = 0
    const [size, at, slot] = [this.#size, this.#at, this.#slot]
    const address = this.#memory.address + at
    const user0 = tag(kind.SEND, slot)
    const low = this.#sequence % 2 ** sequenceBits
    if (count > 1 && this.#trainsUsed < trainsMax) {
      const train = this.#trainsUsed++
      this.#trains.begin(train, 0, size)
      this.#trains.add(train, address, count * size)
      const user1 = low | ((count - 1) << sequenceBits)
      return sendMessage(this.#ring, slot, this.#trains.address(train), user0, user1)
    }
    for (let n = 0; n < count; n++) {
      const user1 = (this.#sequence + n) % 2 ** sequenceBits
      sendDatagram(this.#ring, slot, 0, 0, address + n * size, size, user0, user1)
    }
  }

  #submit(): void {
    this.flush()
    while (this.#ring.pending > 0) this.#ring.enter(0, 0)
    this.begin()
  }

  /** The kernel has refused to send datagrams of this size together. */
  separate(size: number): void {
    this.#trainSizeMax = Math.min(this.#trainSizeMax, size - 1)
  }

  /** To be called after the ring is closed. */
  close(): void {
    this.#libc.unmap(this.#memory)
    this.#trains.close()
  }
}
