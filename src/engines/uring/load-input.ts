/**
 * Receives the replies of a load over streams: into buffers of the ring, each piece after the one
 * before; or into an inbox, if the kernel stamps each piece.
 */
import type { Stream } from '../../load/stream.ts'
import type { KernelClock } from '../os/kernel-clock.ts'
import type { Libc } from '../os/libc.ts'
import { BufferRing } from './memory.ts'
import * as entries from './entries.ts'
import { Inbox } from './inbox.ts'
import * as k from './kernel.ts'
import type { Ring } from './ring.ts'

const ringBuffers = 16
const ringBufferBytes = 65_536

export class LoadInput {
  readonly bufferRing: BufferRing
  /** Set if the kernel stamps what arrives. */
  readonly clock: KernelClock | undefined
  readonly #ring: Ring
  readonly #inbox: Inbox | undefined

  /** @param clock set if sockets have SO_TIMESTAMPNS */
  constructor(libc: Libc, ring: Ring, clock: KernelClock | undefined) {
    this.#ring = ring
    this.clock = clock
    this.#inbox = clock && new Inbox(libc, ring, 0, clock)
    this.bufferRing =
      this.#inbox?.bufferRing ?? new BufferRing(libc, ring, ringBuffers, ringBufferBytes)
  }

  /** Begins to receive on a connection, or begins again. */
  receive(slot: number, generation: number): void {
    if (this.#inbox) this.#inbox.receive(slot, generation)
    else entries.receive(this.#ring, slot, generation)
  }

  /** How many bytes came; 0 at the end of the stream, or the negative number of an error. */
  lengthOf(result: number, flags: number): number {
    const inbox = this.#inbox
    return inbox && result > 0 ? inbox.payloadBytes(inbox.startOf(flags >>> 16)) : result
  }

  /** Where the new bytes begin in a buffer. */
  get payloadAt(): number {
    return this.#inbox?.payloadAt ?? 0
  }

  /** When the kernel received the bytes; `now` if they have no stamp. */
  cameNs(flags: number, now: number): number {
    const inbox = this.#inbox
    return inbox ? inbox.cameNs(inbox.startOf(flags >>> 16), now) : now
  }

  /** Gives a stream the received bytes; false if they are wrong. */
  deliver(stream: Stream, flags: number, length: number, now: number): boolean {
    const id = flags >>> 16
    const [bufferRing, inbox] = [this.bufferRing, this.#inbox]
    if (!inbox)
      return stream.arrived(
        bufferRing.bytes,
        id * bufferRing.sizeBytes + bufferRing.used[id]!,
        length,
        now,
      )
    const start = inbox.startOf(id)
    const cameNs = inbox.cameNs(start, now)
    return stream.arrived(inbox.bytes, start + inbox.payloadAt, length, now, cameNs)
  }

  /**
   * Gives the buffer back to the kernel, or what is left of it. The kernel sees it once it is
   * published.
   */
  giveBack(result: number, flags: number): void {
    const id = flags >>> 16
    if (flags & k.cqe.BUF_MORE) this.bufferRing.used[id]! += result
    else this.bufferRing.give(id)
  }

  /** No buffer was left: gives the kernel more, if there are any. */
  grow(): void {
    this.#inbox?.grow()
  }

  /** To be called after the ring is closed. */
  close(): void {
    if (this.#inbox) this.#inbox.close()
    else this.bufferRing.close()
  }
}
