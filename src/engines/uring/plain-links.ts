/**
 * The connections of a load over tcp or unix, if short ones are among them. Messages are copied to
 * where the ring sends from; without short connections they are sent from the payload's table
 * (load-slots.ts).
 */
import type { Traffic } from '../../load/traffic.ts'
import { systemError } from '../os/libc.ts'
import type { LinkStream } from './link-stream.ts'
import { LoadLinks } from './load-links.ts'

export class PlainLinks extends LoadLinks {
  /** Where the received bytes lie. */
  #at = 0
  #length = 0

  /** There is no handshake that could fail. */
  protected late(): Error {
    return systemError('ETIMEDOUT')
  }

  protected cut(): Error {
    return systemError('ECONNRESET')
  }

  protected greet(slot: number): void {
    this.opened(slot)
  }

  protected came(slot: number, at: number, length: number, now: number): void {
    this.#at = at
    this.#length = length
    this.arrived(slot, now)
  }

  protected give(stream: LinkStream, now: number): boolean {
    return stream.arrived(this.bufferRing.bytes, this.#at, this.#length, now, this.cameNs)
  }

  protected submit(slot: number, stream: LinkStream, { payload }: Traffic, most: number): void {
    const { outbox } = this
    const { at, room, stays } = outbox
    const offset = this.submitted[slot]!
    const backlog = stream.issuedBytes - offset
    const length = Math.min(backlog, payload.pieceBytes(offset), room, most)
    const from = payload.at(stream.connection, offset)
    outbox.bytes.set(payload.table.subarray(from, from + length), at)
    this.submitted[slot] = offset + length
    if (stays) outbox.use(length)
    this.out.send(slot, at, length, stays)
  }

  /** FIN alone ends the stream. */
  protected sayEnd(): void {}

  protected forget(): void {}
}
