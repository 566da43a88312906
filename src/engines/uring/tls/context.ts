/** What all TLS connections of a server, or of a load, have in common: certificates, and rules. */
import { readFileSync } from 'node:fs'
import * as tls from 'node:tls'
import type { LoadTask } from '../../../task.ts'
import { authoritiesOf, type ServerTls } from '../../../wire/tls/credentials.ts'
import type { Choose, OpenSsl, Pointer } from '../../os/openssl.ts'

/** Commands of SSL_CTX_ctrl(3), and their values, which are the same since OpenSSL 1.1.1. */
const ctrl = { SESS_CACHE_MODE: 44, CHAIN_CERT: 89, MIN_PROTO: 123, MAX_PROTO: 124 } as const
const TLS1_2 = 0x0303
const SESS_CACHE_SERVER_NOT_INTERNAL = 0x2 | 0x300 | 0x80
const OP_CIPHER_SERVER_PREFERENCE = 2 ** 22
const OP_NO_RENEGOTIATION = 2 ** 30
const VERIFY_PEER_OR_FAIL = 1 | 2

export interface Context {
  readonly pointer: Pointer
  close(): void
}

/** @throws Error if OpenSSL refuses the credentials. (They were checked before.) */
export function serverContext(
  ssl: OpenSsl,
  { cert, key, clientCa }: ServerTls,
  choose: Choose,
): Context {
  const pointer = ssl.SSL_CTX_new(ssl.TLS_server_method())
  try {
    setRules(ssl, pointer)
    resumeByTickets(ssl, pointer)
    useCertificate(ssl, pointer, cert, key)
    if (clientCa !== undefined) demandClients(ssl, pointer, clientCa)
    const forget = ssl.selectProtocol(pointer, choose)
    return {
      pointer,
      close() {
        ssl.SSL_CTX_free(pointer)
        forget()
      },
    }
  } catch (error) {
    ssl.SSL_CTX_free(pointer)
    throw error
  } finally {
    ssl.ERR_clear_error()
  }
}

/**
 * Sets the same rules as node:tls, with one exception: renegotiation is refused at once, and not
 * only the fourth in ten minutes.
 */
function setRules(ssl: OpenSsl, pointer: Pointer): void {
  const names = tls.DEFAULT_CIPHERS.split(':')
  const suites = names.filter(name => name.startsWith('TLS_')).join(':')
  const older = names.filter(name => !name.startsWith('TLS_')).join(':')
  if (suites !== '') checked(ssl, ssl.SSL_CTX_set_ciphersuites(pointer, suites))
  if (older !== '') checked(ssl, ssl.SSL_CTX_set_cipher_list(pointer, older))
  ssl.SSL_CTX_ctrl(pointer, ctrl.MIN_PROTO, TLS1_2, 0)
  if (tls.DEFAULT_MAX_VERSION === 'TLSv1.2') ssl.SSL_CTX_ctrl(pointer, ctrl.MAX_PROTO, TLS1_2, 0)
  ssl.SSL_CTX_set_options(pointer, OP_CIPHER_SERVER_PREFERENCE + OP_NO_RENEGOTIATION)
}

/** Lets sessions be resumed only by tickets, which contain the whole state. */
function resumeByTickets(ssl: OpenSsl, pointer: Pointer): void {
  ssl.SSL_CTX_ctrl(pointer, ctrl.SESS_CACHE_MODE, SESS_CACHE_SERVER_NOT_INTERNAL, 0)
  const name = 'yodel'
  checked(ssl, ssl.SSL_CTX_set_session_id_context(pointer, name, name.length))
}

/**
 * The context of a load. The certificate of the server is judged after the handshake (trust.ts).
 */
export function clientContext(ssl: OpenSsl, { calling }: LoadTask): Context {
  const { tls: given = {} } = calling
  const { cert, key, alpn = [] } = given
  const pointer = ssl.SSL_CTX_new(ssl.TLS_client_method())
  try {
    setRules(ssl, pointer)
    if (cert !== undefined && key !== undefined) useCertificate(ssl, pointer, cert, key)
    const store = ssl.SSL_CTX_get_cert_store(pointer)
    const trusted = authoritiesOf(given) ?? trustedByNode()
    for (const authority of trusted.flatMap(pem => certificates(ssl, pem))) {
      ssl.X509_STORE_add_cert(store, authority)
      ssl.X509_free(authority)
    }
    const names = alpn.map(name => Buffer.from(name))
    const offer = Buffer.concat(names.flatMap(name => [Buffer.of(name.length), name]))
    // This function returns 0 for success.
    if (alpn.length > 0) ssl.SSL_CTX_set_alpn_protos(pointer, offer, offer.length)
    return { pointer, close: () => void ssl.SSL_CTX_free(pointer) }
  } catch (error) {
    ssl.SSL_CTX_free(pointer)
    throw error
  } finally {
    ssl.ERR_clear_error()
  }
}

/** The authorities that Node trusts, with those of NODE_EXTRA_CA_CERTS and --use-system-ca. */
function trustedByNode(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (which: 'default') => string[] }
  if (getCACertificates) return getCACertificates('default')
  // For Node before 22.15. Like Node itself, this ignores a file that it cannot read.
  try {
    return [...tls.rootCertificates, readFileSync(process.env['NODE_EXTRA_CA_CERTS'] ?? '', 'utf8')]
  } catch {
    return tls.rootCertificates
  }
}

function useCertificate(ssl: OpenSsl, pointer: Pointer, cert: string, key: string): void {
  const [own, ...chain] = certificates(ssl, cert)
  checked(ssl, ssl.SSL_CTX_use_certificate(pointer, own ?? 0))
  ssl.X509_free(own!)
  // The context now owns these certificates.
  for (const other of chain) checked(ssl, ssl.SSL_CTX_ctrl(pointer, ctrl.CHAIN_CERT, 0, other))
  const bio = ssl.textBio(key)
  const secret = ssl.PEM_read_bio_PrivateKey(bio, 0, 0, 0)
  ssl.BIO_free(bio)
  checked(ssl, ssl.SSL_CTX_use_PrivateKey(pointer, secret))
  ssl.EVP_PKEY_free(secret)
  checked(ssl, ssl.SSL_CTX_check_private_key(pointer))
}

/** Clients need a certificate that one of these authorities has signed. */
function demandClients(ssl: OpenSsl, pointer: Pointer, clientCa: string): void {
  const store = ssl.SSL_CTX_get_cert_store(pointer)
  for (const authority of certificates(ssl, clientCa)) {
    checked(ssl, ssl.X509_STORE_add_cert(store, authority))
    checked(ssl, ssl.SSL_CTX_add_client_CA(pointer, authority))
    ssl.X509_free(authority)
  }
  ssl.SSL_CTX_set_verify(pointer, VERIFY_PEER_OR_FAIL, 0)
}

/** All certificates of a PEM text. Each is to be freed. */
function certificates(ssl: OpenSsl, pem: string): Pointer[] {
  const bio = ssl.textBio(pem)
  const found: Pointer[] = []
  for (let next: Pointer; (next = ssl.PEM_read_bio_X509(bio, 0, 0, 0)) !== 0;) found.push(next)
  ssl.BIO_free(bio)
  // OpenSSL reports the end of the text as an error.
  ssl.ERR_clear_error()
  return found
}

function checked(ssl: OpenSsl, result: number): void {
  if (result !== 1) throw new Error(`OpenSSL: ${ssl.reason(ssl.ERR_get_error())}`)
}
