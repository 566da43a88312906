/** Whether a client trusts the server that it has reached: its chain, its name, or its pin. */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import type { LoadTask } from '../../../task.ts'
import { withoutZone } from '../../../vocabulary/address.ts'
import { plain } from '../../../wire/tls/certificate.ts'
import { pinMismatch } from '../../../wire/tls/failures.ts'
import type { OpenSsl, Pointer } from '../../os/openssl.ts'

/** X509_V_ERR_ of x509_vfy.h by number, with the names that Node gives them; 0 is none. */
const verdicts: Record<number, string> = {
  2: 'UNABLE_TO_GET_ISSUER_CERT',
  7: 'CERT_SIGNATURE_FAILURE',
  9: 'CERT_NOT_YET_VALID',
  10: 'CERT_HAS_EXPIRED',
  18: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  19: 'SELF_SIGNED_CERT_IN_CHAIN',
  20: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  21: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  22: 'CERT_CHAIN_TOO_LONG',
  23: 'CERT_REVOKED',
  25: 'PATH_LENGTH_EXCEEDED',
  26: 'INVALID_PURPOSE',
  27: 'CERT_UNTRUSTED',
  28: 'CERT_REJECTED',
  79: 'INVALID_CA',
}

/** Only a hostile certificate is larger than this. */
const pemMaxBytes = 65_536

export class Judge {
  /** The name that is sent (SNI); empty for an address (RFC 6066, section 3). */
  readonly sentName: string
  readonly #ssl: OpenSsl
  readonly #name: string
  readonly #pin: string | undefined
  readonly #insecure: boolean
  /** The verdicts by certificate: a server shows the same one on each connection. */
  readonly #known = new Map<string, Error | undefined>()

  constructor(ssl: OpenSsl, { address, calling }: LoadTask) {
    const { pin, insecure = false, serverName } = calling.tls ?? {}
    this.#ssl = ssl
    this.#name = withoutZone(serverName ?? (address as { host: string }).host)
    this.sentName = isIP(this.#name) ? '' : this.#name
    this.#pin = pin === undefined ? undefined : plain(pin)
    this.#insecure = insecure
  }

  /**
   * Why the server is not trusted; undefined if it is.
   * @param memory memory for the certificate
   */
  judge(connection: Pointer, memory: { address: number; bytes: Uint8Array }): Error | undefined {
    if (this.#pin === undefined && this.#insecure) return undefined
    const ssl = this.#ssl
    const result = this.#pin === undefined ? ssl.SSL_get_verify_result(connection) : 0
    if (result !== 0) {
      const code = verdicts[result] ?? 'UNSPECIFIED'
      return Object.assign(new Error(ssl.verifyReason(result)), { code })
    }
    const pem = this.#certificate(connection, memory)
    if (!this.#known.has(pem)) this.#known.set(pem, this.#judgeOne(pem))
    return this.#known.get(pem)
  }

  #certificate(connection: Pointer, memory: { address: number; bytes: Uint8Array }): string {
    const ssl = this.#ssl
    const certificate = ssl.SSL_get1_peer_certificate(connection)
    const bio = ssl.BIO_new(ssl.BIO_s_mem())
    ssl.PEM_write_bio_X509(bio, certificate)
    const size = Math.min(pemMaxBytes, memory.bytes.length)
    const length = Math.max(0, ssl.BIO_read(bio, memory.address, size))
    ssl.BIO_free(bio)
    ssl.X509_free(certificate)
    return Buffer.from(memory.bytes.subarray(0, length)).toString('latin1')
  }

  #judgeOne(pem: string): Error | undefined {
    const certificate = new X509Certificate(pem)
    const seen = plain(certificate.fingerprint256)
    if (this.#pin !== undefined) return seen === this.#pin ? undefined : pinMismatch(seen)
    return checkServerIdentity(this.#name, certificate.toLegacyObject())
  }
}
