/** The connections of a load over wss: frames go into records of TLS, and come out of them. */
import type { Meter } from '../../../metrics/meter.ts'
import type { LoadTask } from '../../../task.ts'
import { handshakeCut, handshakeTimeout } from '../../../wire/tls/failures.ts'
import type { Libc, Mapping } from '../../os/libc.ts'
import type { OpenSsl } from '../../os/openssl.ts'
import type { LinkParts } from '../client-links.ts'
import { ClientRecords } from '../tls/client-records.ts'
import { Records } from '../tls/records.ts'
import { WsLoadSlots } from './load-slots.ts'

/**
 * How many bytes are encrypted together; frames are written into this memory, one after the other.
 */
const framesBytes = 65_536
/** Frames are encrypted at once, so this memory is always empty. */
const framesPlace = { at: 0, room: framesBytes } as const

export class WssLoadSlots extends WsLoadSlots {
  readonly #libc: Libc
  readonly #frames: Mapping
  readonly #framesBytes: Uint8Array
  readonly #tls: ClientRecords

  constructor(parts: LinkParts & { ssl: OpenSsl }, task: LoadTask, meter: Meter) {
    const { ssl, libc } = parts
    const records = new Records(ssl, libc)
    const frames = libc.map(framesBytes)
    const outgoing = new Uint8Array(frames.memory)
    super(parts, task, meter, { incoming: records.plainBytes, outgoing })
    this.#libc = libc
    this.#frames = frames
    this.#framesBytes = outgoing
    const below = { out: this.out, outbox: this.outbox }
    this.#tls = new ClientRecords(ssl, records, task, this.phase.length, below, {
      onSecure: slot => {
        this.onHalfShaken(slot)
        super.greet(slot)
      },
      onPlain: (slot, length, now) => {
        super.came(slot, 0, length, now)
        return this.table.state[slot] !== 0
      },
      end: slot => this.end(slot),
      fail: (slot, error) => this.fail(slot, error),
    })
  }

  protected override late(slot: number): Error {
    return this.#tls.isSecure(slot) ? super.late(slot) : handshakeTimeout()
  }

  protected override cut(slot: number): Error {
    return this.#tls.isSecure(slot) ? super.cut(slot) : handshakeCut()
  }

  protected override greet(slot: number): void {
    this.#tls.greet(slot)
  }

  protected override came(slot: number, at: number, length: number, now: number): void {
    this.#tls.came(slot, this.bufferRing.address + at, length, now)
  }

  protected override get place(): { at: number; room: number } {
    return framesPlace
  }

  protected override sendFrom(slot: number, at: number, length: number): void {
    this.#tls.write(slot, this.#frames.address + at, length)
  }

  protected override sendBytes(slot: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += framesBytes) {
      const piece = bytes.subarray(at, at + framesBytes)
      this.#framesBytes.set(piece)
      if (!this.#tls.write(slot, this.#frames.address, piece.length)) return
    }
  }

  protected override forget(slot: number): void {
    super.forget(slot)
    this.#tls.forget(slot)
  }

  override close(): void {
    super.close()
    this.#tls.close()
    this.#libc.unmap(this.#frames)
  }
}
