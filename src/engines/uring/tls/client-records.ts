/** TLS of the connections of a load: OpenSSL makes the records, and the ring moves them. */
import type { LoadTask } from '../../../task.ts'
import { systemError } from '../../os/libc.ts'
import type { OpenSsl, Pointer } from '../../os/openssl.ts'
import type { Outbox } from '../outbox.ts'
import type { Outgoing } from '../outgoing.ts'
import { clientContext, type Context } from './context.ts'
import { Judge } from './trust.ts'
import { Records, stop } from './records.ts'

/** A command of SSL_ctrl(3): sets the name for SNI. */
const SET_TLSEXT_HOSTNAME = 55

/** Gets the content of the records, and the end of the connection. */
export interface Inside {
  /** The handshake of TLS is done. */
  onSecure(slot: number): void
  /** `length` bytes were decrypted. Returns whether the connection is still open. */
  onPlain(slot: number, length: number, now: number): boolean
  /** The server has sent close_notify. */
  end(slot: number): void
  /** The connection has failed, and is closed. */
  fail(slot: number, error: Error): void
}

/** Moves the records. */
interface Below {
  out: Outgoing
  outbox: Outbox
}

export class ClientRecords {
  readonly #ssl: OpenSsl
  readonly #records: Records
  readonly #context: Context
  readonly #judge: Judge
  readonly #below: Below
  readonly #inside: Inside
  /** The SSL object of OpenSSL for each slot; 0: none. */
  readonly #connections: Float64Array
  /** Whether the handshake is done. */
  readonly #isSecure: Uint8Array

  constructor(
    ssl: OpenSsl,
    records: Records,
    task: LoadTask,
    slots: number,
    below: Below,
    inside: Inside,
  ) {
    this.#ssl = ssl
    this.#records = records
    this.#context = clientContext(ssl, task)
    this.#judge = new Judge(ssl, task)
    this.#below = below
    this.#inside = inside
    this.#connections = new Float64Array(slots)
    this.#isSecure = new Uint8Array(slots)
  }

  isSecure(slot: number): boolean {
    return this.#isSecure[slot] === 1
  }

  /** Begins the handshake. */
  greet(slot: number): void {
    const connection = this.#records.open(this.#context.pointer)
    if (connection === 0) return this.#inside.fail(slot, systemError('ENOMEM'))
    this.#connections[slot] = connection
    this.#ssl.SSL_set_connect_state(connection)
    const { sentName } = this.#judge
    if (sentName) this.#ssl.SSL_ctrl(connection, SET_TLSEXT_HOSTNAME, 0, sentName)
    this.#read(slot, 0)
  }

  /** Records came. */
  came(slot: number, address: number, length: number, now: number): void {
    this.#records.put(address, length)
    this.#read(slot, now)
  }

  /** Reads the content of the records. */
  #read(slot: number, now: number): void {
    const [records, inside] = [this.#records, this.#inside]
    const connection = this.#connections[slot]!
    do {
      const isOpen = this.isSecure(slot)
      const length = records.read(connection, isOpen)
      if (!isOpen && (length > 0 || records.isOpen(connection)))
        this.#judgeOne(slot, connection, length)
      const goesOn = this.#connections[slot] === connection
      if (!goesOn || (length > 0 && !inside.onPlain(slot, length, now))) return records.forget()
      if (records.stop === stop.MORE) this.#send(slot)
    } while (records.stop === stop.MORE)
    const error = records.failed ? records.failure(connection) : undefined
    // Always sends: no record of this connection may be left in the BIO for the next one.
    this.#send(slot)
    if (error) inside.fail(slot, error)
    else if (records.stop === stop.END) inside.end(slot)
  }

  /** The handshake is done. The server may have sent `length` bytes already. */
  #judgeOne(slot: number, connection: Pointer, length: number): void {
    const { plain, plainBytes } = this.#records
    const early = length > 0 ? Buffer.from(plainBytes.subarray(0, length)) : undefined
    const error = this.#judge.judge(connection, { address: plain.address, bytes: plainBytes })
    if (early) plainBytes.set(early)
    if (error) return this.#inside.fail(slot, error)
    this.#isSecure[slot] = 1
    this.#inside.onSecure(slot)
  }

  /** Encrypts and sends. Returns false if that is not possible; then the connection has failed. */
  write(slot: number, address: number, length: number): boolean {
    const connection = this.#connections[slot]!
    const isWritten = this.#records.write(connection, address, length)
    if (isWritten) this.#send(slot)
    else this.#inside.fail(slot, this.#records.failure(connection))
    return isWritten
  }

  /** Sends the records that were made. */
  #send(slot: number): void {
    const { out, outbox } = this.#below
    for (;;) {
      const { at, room, stays } = outbox
      const length = this.#records.take(outbox.address + at, room)
      if (length === 0) return
      if (stays) outbox.use(length)
      out.send(slot, at, length, stays)
      if (length < room) return
    }
  }

  /** Sends close_notify. */
  sayEnd(slot: number): void {
    this.#records.sayEnd(this.#connections[slot]!)
    this.#send(slot)
  }

  /** The connection is closed. */
  forget(slot: number): void {
    this.#records.free(this.#connections[slot]!)
    this.#connections[slot] = 0
    this.#isSecure[slot] = 0
  }

  close(): void {
    this.#records.close()
    this.#context.close()
  }
}
