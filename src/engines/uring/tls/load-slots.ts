/** The connections of a load over TLS: OpenSSL makes the records, and the ring moves them. */
import type { Stream } from '../../../load/stream.ts'
import type { Traffic } from '../../../load/traffic.ts'
import type { Meter } from '../../../metrics/meter.ts'
import type { LoadTask } from '../../../task.ts'
import { handshakeCut, handshakeTimeout } from '../../../wire/tls/failures.ts'
import { systemError } from '../../os/libc.ts'
import type { OpenSsl, Pointer } from '../../os/openssl.ts'
import { linkPhase, type LinkParts } from '../client-links.ts'
import { LoadLinks } from '../load-links.ts'
import { clientContext, type Context } from './context.ts'
import { Judge } from './trust.ts'
import { Records, stop } from './records.ts'

/** How much is encrypted together. */
const pieceMaxBytes = 65_536
/** Of SSL_ctrl(3): the name for SNI. */
const SET_TLSEXT_HOSTNAME = 55

export class TlsLoadSlots extends LoadLinks {
  readonly #ssl: OpenSsl
  readonly #context: Context
  readonly #judge: Judge
  readonly #records: Records
  /** Of OpenSSL, by slot; 0: none. */
  readonly #connections: Float64Array
  /** How much of what came is decrypted, and lies in the records' memory. */
  #plainBytes = 0

  constructor(parts: LinkParts & { ssl: OpenSsl }, task: LoadTask, meter: Meter) {
    super(parts, task, meter)
    this.#ssl = parts.ssl
    this.#records = new Records(parts.ssl, parts.libc)
    this.#context = clientContext(parts.ssl, task)
    this.#judge = new Judge(parts.ssl, task)
    this.#connections = new Float64Array(this.phase.length)
  }

  protected readonly late = handshakeTimeout
  protected readonly cut = handshakeCut

  protected greet(slot: number): void {
    const connection = this.#records.open(this.#context.pointer)
    this.#connections[slot] = connection
    if (connection === 0) return this.fail(slot, systemError('ENOMEM'))
    this.#ssl.SSL_set_connect_state(connection)
    const { sentName } = this.#judge
    if (sentName) this.#ssl.SSL_ctrl(connection, SET_TLSEXT_HOSTNAME, 0, sentName)
    this.#read(slot, 0)
  }

  protected came(slot: number, at: number, length: number, now: number): void {
    this.#records.put(this.bufferRing.address + at, length)
    this.#read(slot, now)
  }

  /** Takes what the records have. */
  #read(slot: number, now: number): void {
    const records = this.#records
    const connection = this.#connections[slot]!
    do {
      const isOpen = this.phase[slot] !== linkPhase.HANDSHAKE
      const length = records.read(connection, isOpen)
      if (!isOpen && (length > 0 || records.isOpen(connection)))
        this.#judgeOne(slot, connection, length)
      const goesOn = this.table.state[slot] !== 0
      this.#plainBytes = length
      if (!goesOn || (length > 0 && !this.arrived(slot, now))) return records.forget()
      if (records.stop === stop.MORE) this.#sendRecords(slot)
    } while (records.stop === stop.MORE)
    const error = records.failed ? records.failure(connection) : undefined
    // Always: nothing of this connection may be left to the next one.
    this.#sendRecords(slot)
    if (error) this.fail(slot, error)
    else if (records.stop === stop.END) this.end(slot)
  }

  /** The handshake is done. The server may have sent `length` bytes already. */
  #judgeOne(slot: number, connection: Pointer, length: number): void {
    const { plain, plainBytes } = this.#records
    const early = length > 0 ? Buffer.from(plainBytes.subarray(0, length)) : undefined
    const error = this.#judge.judge(connection, { address: plain.address, bytes: plainBytes })
    if (early) plainBytes.set(early)
    if (error) return this.fail(slot, error)
    this.opened(slot)
  }

  protected give(stream: Stream, now: number): boolean {
    return stream.arrived(this.#records.plainBytes, 0, this.#plainBytes, now, this.cameNs)
  }

  /** Sends the records that were made. */
  #sendRecords(slot: number): void {
    const { outbox } = this
    for (;;) {
      const { at, room, stays } = outbox
      const length = this.#records.take(outbox.address + at, room)
      if (length === 0) return
      if (stays) outbox.use(length)
      this.out.send(slot, at, length, stays)
      if (length < room) return
    }
  }

  protected submit(slot: number, stream: Stream, { payload }: Traffic): void {
    const connection = this.#connections[slot]!
    const offset = this.submitted[slot]!
    const backlog = stream.issuedBytes - offset
    const length = Math.min(backlog, payload.pieceBytes(offset), pieceMaxBytes)
    const address = this.tableAddress + payload.at(stream.connection, offset)
    if (!this.#records.write(connection, address, length))
      return this.fail(slot, this.#records.failure(connection))
    this.submitted[slot] = offset + length
    this.#sendRecords(slot)
  }

  protected sayEnd(slot: number): void {
    this.#records.sayEnd(this.#connections[slot]!)
    this.#sendRecords(slot)
  }

  protected forget(slot: number): void {
    this.#records.free(this.#connections[slot]!)
    this.#connections[slot] = 0
  }

  override close(): void {
    super.close()
    this.#records.close()
    this.#context.close()
  }
}
