/** Certificates, keys and pins of a user: checks them, and makes contexts from them. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import type { Address } from '../../vocabulary/address.ts'
import { createCertificate, namesOf, plain } from './certificate.ts'
import { UserError, usageError } from '../../vocabulary/errors.ts'
import { transports } from '../../vocabulary/transport.ts'

/** The credentials of a server: given, or made at start. All in PEM (RFC 7468). */
export interface ServerTls {
  cert: string
  key: string
  /** Clients must show a certificate that one of these has signed. */
  clientCa?: string | undefined
}

/** The TLS options of a client, as in options/calling. */
interface ClientTls {
  ca?: string | undefined
  pin?: string | undefined
  insecure?: boolean | undefined
  serverName?: string | undefined
  alpn?: readonly string[] | undefined
  cert?: string | undefined
  key?: string | undefined
}

/** The options of a client: only those of TLS matter here. */
interface TlsClientOptions {
  tls?: ClientTls | undefined
}

/** Older versions are broken (RFC 8996): they are refused, even if Node was told to allow them. */
export const minVersion = 'TLSv1.2'

const isSecure = (address: Address) => transports[address.transport].secure

/**
 * The given certificate, or a new one for this address; undefined without TLS.
 * @throws UserError if certificate and key make no sense
 */
export function identityFor(
  address: Address,
  given: Partial<ServerTls> = {},
): ServerTls | undefined {
  if (address.transport === 'unix' || !isSecure(address)) return undefined
  const { cert, key, clientCa } = given
  checkPair(cert, key)
  const identity = cert !== undefined && key !== undefined ? { cert, key } : undefined
  if (clientCa !== undefined) checkAuthorities('client CA', clientCa)
  return { ...(identity ?? createCertificate(namesOf(address.host))), clientCa }
}

/** Why no client will accept this certificate today; undefined if it is valid. */
export function invalidToday({ cert }: ServerTls): string | undefined {
  const { validFrom, validTo } = new X509Certificate(cert)
  if (Date.parse(validTo) < Date.now())
    return `The certificate has expired (${validTo}): clients will refuse it.`
  if (Date.parse(validFrom) > Date.now())
    return `The certificate is not valid before ${validFrom}: clients will refuse it.`
  return undefined
}

/** @throws UserError if the TLS options make no sense */
export function checkCalling({ tls }: TlsClientOptions): void {
  if (!tls) return
  const { pin, ca, cert, key, alpn = [], serverName } = tls
  if (pin !== undefined && !/^[0-9a-f]{64}$/.test(plain(pin)))
    throw usageError(
      `'${pin}' is not a fingerprint.`,
      'It is a SHA-256, 64 hexadecimal digits; `yodel serve` and `yodel connect -v` print it.',
    )
  if (ca !== undefined) checkAuthorities('CA', ca)
  checkPair(cert, key)
  for (const protocol of alpn)
    // RFC 7301, section 3.1.
    if (protocol === '' || Buffer.byteLength(protocol) > 255)
      throw usageError('The name of a protocol (ALPN) has 1 to 255 bytes.')
  if (serverName === '') throw usageError('The name of the server is empty.')
}

function checkPair(cert: string | undefined, key: string | undefined) {
  if (cert === undefined && key === undefined) return
  if (cert === undefined || key === undefined)
    throw usageError('A certificate and its key belong together.', 'Give both.')
  try {
    createSecureContext({ cert, key })
    // createSecureContext ignores empty texts without an error.
    void [new X509Certificate(cert), createPrivateKey(key)]
  } catch (error) {
    throw pemError('certificate or key', error)
  }
}

function checkAuthorities(what: string, pem: string) {
  try {
    void new X509Certificate(pem)
    createSecureContext({ ca: pem })
  } catch (error) {
    throw pemError(what, error)
  }
}

/** The causes for Node's error codes when OpenSSL cannot read a PEM text. */
const pemCauses: Record<string, string> = {
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: 'the key is not that of the certificate',
  ERR_OSSL_PEM_NO_START_LINE: 'that is not PEM',
  ERR_OSSL_UNSUPPORTED: 'that is not PEM',
  ERR_MISSING_PASSPHRASE: 'the key is encrypted',
  ERR_OSSL_BAD_DECRYPT: 'the key is encrypted',
  ERR_SSL_EE_KEY_TOO_SMALL: 'the key is too short to be safe',
  ERR_SSL_CA_MD_TOO_WEAK: 'it was signed with a hash that is broken',
}

function pemError(what: string, error: unknown): UserError {
  const { code = '', message } = error as NodeJS.ErrnoException
  const cause = Object.hasOwn(pemCauses, code) ? pemCauses[code] : message
  return usageError(`The ${what} cannot be used: ${cause}.`, 'Give PEM files, not encrypted.')
}

/** The authorities that a client trusts; undefined: those that Node trusts by itself. */
export function authoritiesOf({ ca, pin, insecure = false }: ClientTls): string[] | undefined {
  // The chain is not verified if a pin decides, or if everything is trusted.
  if (pin !== undefined || insecure) return []
  return ca === undefined ? undefined : [...rootCertificates, ca]
}

const contexts = new WeakMap<ClientTls, SecureContext>()
const noTls: ClientTls = {}

/** Makes a context, once for all connections: reading the authorities of Node takes some 10 ms. */
export function contextOf({ tls = noTls }: TlsClientOptions): SecureContext {
  const known = contexts.get(tls)
  if (known) return known
  const { cert, key } = tls
  const authorities = authoritiesOf(tls)
  const context = createSecureContext({
    minVersion,
    ...(cert !== undefined && key !== undefined && { cert, key }),
    ...(authorities && { ca: authorities }),
  })
  contexts.set(tls, context)
  return context
}
