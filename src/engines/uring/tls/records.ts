/**
 * TLS between memory and memory. All connections of a thread go through the same two BIOs, one
 * after the other: what came for one of them is read to its end before the next one comes. So the
 * only buffers of a connection are those of OpenSSL, and only while it is in use.
 */
import type { Libc, Mapping } from '../../os/libc.ts'
import { sslError, type OpenSsl, type Pointer } from '../../os/openssl.ts'
import { clientRefused } from '../../../wire/tls/failures.ts'

/** The most bytes of one record (RFC 8446, section 5.1). */
const recordMaxBytes = 16_384
/** How many bytes are read together. */
const plainBytes = 65_536

/** Why read() has returned. */
export const stop = {
  /** All received bytes are read. */
  DRY: 0,
  /** There may be more; read() is to be called again. */
  MORE: -1,
  /** Only a part of a record came, or a record without data. */
  PART: sslError.WANT_READ,
  /** The peer has sent close_notify. */
  END: sslError.ZERO_RETURN,
} as const

const BIO_CTRL_RESET = 1

export class Records {
  /** Where read() puts what it has decrypted. */
  readonly plain: Mapping
  readonly plainBytes: Uint8Array
  /** Why the last read() returned: one of `stop`, or the number of an error. */
  stop: number = stop.DRY
  readonly #ssl: OpenSsl
  readonly #libc: Libc
  readonly #in: Pointer
  readonly #out: Pointer

  constructor(ssl: OpenSsl, libc: Libc) {
    this.#ssl = ssl
    this.#libc = libc
    this.plain = libc.map(plainBytes)
    this.plainBytes = new Uint8Array(this.plain.memory)
    this.#in = ssl.BIO_new(ssl.BIO_s_mem())
    this.#out = ssl.BIO_new(ssl.BIO_s_mem())
  }

  /** Makes a new SSL object. The caller has to free it. */
  open(context: Pointer): Pointer {
    const ssl = this.#ssl
    const connection = ssl.SSL_new(context)
    // There was no memory.
    if (connection === 0) return 0
    ssl.BIO_up_ref(this.#in)
    ssl.BIO_up_ref(this.#out)
    ssl.SSL_set0_rbio(connection, this.#in)
    ssl.SSL_set0_wbio(connection, this.#out)
    return connection
  }

  /** Takes records that came for the connection that is read next. */
  put(address: number, length: number): void {
    this.#ssl.BIO_write(this.#in, address, length)
  }

  /** Like put(), for bytes without an address; at most as many as `plain` holds. */
  putBytes(bytes: Uint8Array): void {
    this.plainBytes.set(bytes)
    this.put(this.plain.address, bytes.length)
  }

  /**
   * Continues the handshake, and decrypts into `plain`. Returns how many bytes.
   * @param isOpen whether the handshake is done
   */
  read(connection: Pointer, isOpen: boolean): number {
    const [ssl, { address }] = [this.#ssl, this.plain]
    let length = 0
    this.stop = stop.DRY
    for (;;) {
      const got = ssl.SSL_read(connection, address + length, plainBytes - length)
      if (got <= 0) {
        this.stop = ssl.SSL_get_error(connection, got)
        if (this.stop === stop.END) this.#drop()
        break
      }
      length += got
      // OpenSSL takes one record at a time from the BIO.
      if (ssl.BIO_ctrl_pending(this.#in) === 0) break
      if (plainBytes - length < recordMaxBytes) {
        this.stop = stop.MORE
        break
      }
    }
    // The next connection must not find errors of this one. But failure() still needs them.
    if (!this.failed && (!isOpen || this.stop > stop.DRY)) ssl.ERR_clear_error()
    return length
  }

  /** Whether the last read() failed; then failure() says why. */
  get failed(): boolean {
    return this.stop > stop.DRY && this.stop !== stop.PART && this.stop !== stop.END
  }

  /** Discards bytes of this connection that are left: another one must not get them. */
  #drop(): void {
    this.#ssl.BIO_ctrl(this.#in, BIO_CTRL_RESET, 0, 0)
  }

  /** Encrypts; returns false if that was not possible. */
  write(connection: Pointer, address: number, length: number): boolean {
    return this.#ssl.SSL_write(connection, address, length) === length
  }

  /**
   * Moves records that are to be sent to this address. Returns how many bytes; 0 if there are none.
   */
  take(address: number, size: number): number {
    return Math.max(0, this.#ssl.BIO_read(this.#out, address, size))
  }

  isOpen(connection: Pointer): boolean {
    return this.#ssl.SSL_is_init_finished(connection) === 1
  }

  /** Writes close_notify. */
  sayEnd(connection: Pointer): void {
    if (this.#ssl.SSL_shutdown(connection) < 0) this.#ssl.ERR_clear_error()
  }

  /**
   * The reason of a failure, with a code as in Node's errors. The connection must not be read any
   * more.
   */
  failure(connection: Pointer): Error {
    const ssl = this.#ssl
    this.#drop()
    const reason = ssl.reason(ssl.ERR_get_error())
    ssl.ERR_clear_error()
    if (reason === 'certificate verify failed')
      return clientRefused(ssl.verifyReason(ssl.SSL_get_verify_result(connection)))
    const code = `ERR_SSL_${reason.replaceAll(/\s+/g, '_').toUpperCase()}`
    return Object.assign(new Error(reason), { code, reason })
  }

  /**
   * The connection that was read is gone: discards everything of it, so that the next one does not
   * get it.
   */
  forget(): void {
    this.#drop()
    this.#ssl.BIO_ctrl(this.#out, BIO_CTRL_RESET, 0, 0)
    this.#ssl.ERR_clear_error()
  }

  /** Gives back the buffers of an idle connection; false if that is not possible yet. */
  rest(connection: Pointer): boolean {
    return this.#ssl.SSL_free_buffers(connection) === 1
  }

  free(connection: Pointer): void {
    this.#ssl.SSL_free(connection)
  }

  close(): void {
    this.#ssl.BIO_free(this.#in)
    this.#ssl.BIO_free(this.#out)
    this.#libc.unmap(this.plain)
  }
}
