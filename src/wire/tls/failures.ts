/** Explains the errors of TLS, by the names of OpenSSL and Node, with what to try. */
import { printable } from '../../vocabulary/text.ts'

/** An error of yodel, with a code like those of the system. */
const failure = (code: string, message: string): Error =>
  Object.assign(new Error(message), { code })
export const handshakeTimeout = (): Error =>
  failure('HANDSHAKE_TIMEOUT', 'the TLS handshake took too long')
export const handshakeCut = (): Error =>
  failure('HANDSHAKE_CUT', 'the other side closed the connection during the TLS handshake')
export const pinMismatch = (seen: string): Error =>
  failure('PIN_MISMATCH', `its certificate has the fingerprint ${seen}`)
export const clientRefused = (reason: string): Error =>
  failure('CLIENT_REFUSED', `the certificate of the client was refused (${reason})`)

const trust = 'Give its authority with --ca, or its fingerprint with --pin.'
const clientCertificate = 'Give one that it accepts with --cert and --key.'
const noTls = ['that is not a TLS server', 'Check the port, or connect without TLS.'] as const

/** For each code: the cause (undefined if it depends on the error), and what to try. */
const meanings: Record<string, readonly [cause: string | undefined, hint: string]> = {
  HANDSHAKE_TIMEOUT: [undefined, 'Is it a TLS server? Check the port, or give more --timeout.'],
  HANDSHAKE_CUT: [
    undefined,
    'It may not be a TLS server, or it refused our certificate: see its log.',
  ],
  PIN_MISMATCH: [undefined, 'If that is the one you expect, give it with --pin.'],
  // Node's names for results of verification (X509_V_ERR_ in OpenSSL's x509_vfy.h).
  DEPTH_ZERO_SELF_SIGNED_CERT: [
    'its certificate is self-signed, and not known here',
    'Give its fingerprint with --pin (`yodel serve` prints it), or the certificate with --ca.',
  ],
  SELF_SIGNED_CERT_IN_CHAIN: ['its authority is not known here', trust],
  UNABLE_TO_GET_ISSUER_CERT: ['its authority is not known here', trust],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['its authority is not known here', trust],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [
    'its authority is not known here, or the server does not send an intermediate certificate',
    trust,
  ],
  CERT_SIGNATURE_FAILURE: ['its certificate was not signed by the issuer that it names', trust],
  CERT_HAS_EXPIRED: [
    'its certificate has expired',
    'Renew it, or check the clock here; --pin still trusts it.',
  ],
  CERT_NOT_YET_VALID: ['its certificate is not valid yet', 'Check the clocks of both sides.'],
  CERT_REVOKED: ['its certificate was revoked', 'Renew it.'],
  INVALID_PURPOSE: ['its certificate is not meant for servers', 'Give it another one.'],
  INVALID_CA: [
    'its certificate was signed by a certificate that must not sign others',
    'Give it another one.',
  ],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    undefined,
    'Connect by one of its names, or name one with --server-name.',
  ],
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  ERR_SSL_HTTP_REQUEST: noTls,
  ERR_SSL_UNEXPECTED_MESSAGE: [
    'that is not a TLS server; it may echo what we say',
    'Check the port, or connect without TLS.',
  ],
  // Alerts of the other side (RFC 8446, section 6).
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: [
    'the server demands a certificate of its clients',
    clientCertificate,
  ],
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: [
    'the server found nothing in common, or demands a certificate of its clients',
    'Give one with --cert and --key, or see its log.',
  ],
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: ['the server does not know our authority', clientCertificate],
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: ['the server refused our certificate', clientCertificate],
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: ['our certificate has expired', clientCertificate],
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: [
    'the server refused our certificate',
    clientCertificate,
  ],
  ERR_SSL_TLSV1_ALERT_ACCESS_DENIED: ['the server refused our certificate', clientCertificate],
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: [
    'the server speaks neither TLS 1.2 nor 1.3',
    'Older versions are insecure (RFC 8996), and not supported.',
  ],
  ERR_SSL_UNSUPPORTED_PROTOCOL: [
    'the server speaks neither TLS 1.2 nor 1.3',
    'Older versions are insecure (RFC 8996), and not supported.',
  ],
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: [
    'the server speaks none of the protocols that we offer (ALPN)',
    'Name another one with --alpn, or none.',
  ],
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: [
    'the server knows no such name (SNI)',
    'Name another one with --server-name.',
  ],
}

/** The cause and the hint, if it is an error of TLS. */
export function tlsMeaning(error: NodeJS.ErrnoException): [string, string] | undefined {
  const { code = '', message } = error
  const known = Object.hasOwn(meanings, code) ? meanings[code] : undefined
  if (known) return [known[0] ?? namesOf(error) ?? message, known[1]]
  if (!code.startsWith('ERR_SSL_')) return undefined
  // OpenSSL's reason is a few words; its message is full of files and lines.
  const { reason = message } = error as { reason?: string }
  return [`TLS failed: ${printable(reason)}`, 'See the log of the other side.']
}

/** Longer lists are cut. */
const namesMax = 200

/** The name that a certificate is for. */
function namesOf(error: Error): string | undefined {
  const { cert } = error as { cert?: { subjectaltname?: string } }
  if (!cert) return undefined
  const names = printable(cert.subjectaltname ?? '')
  if (names === '') return 'its certificate names no host'
  return `its certificate is for ${names.slice(0, namesMax)}${names.length > namesMax ? '…' : ''}`
}
