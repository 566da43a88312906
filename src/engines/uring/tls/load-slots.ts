/** The connections of a load over TLS: messages are encrypted where they lie. */
import type { Traffic } from '../../../load/traffic.ts'
import type { Meter } from '../../../metrics/meter.ts'
import type { LoadTask } from '../../../task.ts'
import { handshakeCut, handshakeTimeout } from '../../../wire/tls/failures.ts'
import type { OpenSsl } from '../../os/openssl.ts'
import type { LinkParts } from '../client-links.ts'
import type { LinkStream } from '../link-stream.ts'
import { LoadLinks } from '../load-links.ts'
import { ClientRecords } from './client-records.ts'
import { Records } from './records.ts'

/** How much is encrypted together. */
const pieceMaxBytes = 65_536

export class TlsLoadSlots extends LoadLinks {
  readonly #records: Records
  readonly #tls: ClientRecords
  /** How many decrypted bytes lie in the memory of the records. */
  #plainBytes = 0

  constructor(parts: LinkParts & { ssl: OpenSsl }, task: LoadTask, meter: Meter) {
    super(parts, meter)
    const { ssl, libc } = parts
    this.#records = new Records(ssl, libc)
    const below = { out: this.out, outbox: this.outbox }
    this.#tls = new ClientRecords(ssl, this.#records, task, this.phase.length, below, {
      onSecure: slot => this.opened(slot),
      onPlain: (slot, length, now) => {
        this.#plainBytes = length
        return this.arrived(slot, now)
      },
      end: slot => this.end(slot),
      fail: (slot, error) => this.fail(slot, error),
    })
  }

  protected late(): Error {
    return handshakeTimeout()
  }

  protected cut(): Error {
    return handshakeCut()
  }

  protected greet(slot: number): void {
    this.#tls.greet(slot)
  }

  protected came(slot: number, at: number, length: number, now: number): void {
    this.#tls.came(slot, this.bufferRing.address + at, length, now)
  }

  protected give(stream: LinkStream, now: number): boolean {
    return stream.arrived(this.#records.plainBytes, 0, this.#plainBytes, now, this.cameNs)
  }

  protected submit(slot: number, stream: LinkStream, { payload }: Traffic): void {
    const offset = this.submitted[slot]!
    const backlog = stream.issuedBytes - offset
    const length = Math.min(backlog, payload.pieceBytes(offset), pieceMaxBytes)
    const address = this.tableAddress + payload.at(stream.connection, offset)
    if (this.#tls.write(slot, address, length)) this.submitted[slot] = offset + length
  }

  protected sayEnd(slot: number): void {
    this.#tls.sayEnd(slot)
  }

  protected forget(slot: number): void {
    this.#tls.forget(slot)
  }

  override close(): void {
    super.close()
    this.#tls.close()
  }
}
