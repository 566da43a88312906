/** What two sides of a TLS connection have agreed on, in lines for people. */
import { X509Certificate } from 'node:crypto'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import { plain } from '../../../wire/tls/certificate.ts'
import { printable } from '../../../vocabulary/text.ts'

/** Longer chains are cut: they would fill a terminal. */
const chainMax = 10

/** Protocol, cipher, names, and the certificates from the server's own to the last known one. */
export function describeTls(socket: TLSSocket, serverName: string): string[] {
  // The connection may have broken already.
  if (socket.destroyed) return []
  const { standardName } = socket.getCipher()
  const chain = chainOf(socket)
  const lines = [
    `${socket.getProtocol()}, ${standardName}`,
    `SNI ${serverName || 'not sent'}, ALPN ${socket.alpnProtocol || 'not agreed on'}`,
    ...chain.flatMap((certificate, n) => [
      `certificate ${n + 1} of ${chain.length}: ${oneLine(certificate.subject) || 'no subject'}`,
      ...(certificate.subject === certificate.issuer
        ? ['  self-signed']
        : [`  issued by ${oneLine(certificate.issuer)}`]),
      ...(certificate.subjectAltName === undefined ? [] : [`  for ${certificate.subjectAltName}`]),
      `  valid from ${instant(certificate.validFrom)} to ${instant(certificate.validTo)}`,
      `  SHA-256 ${plain(certificate.fingerprint256)}`,
    ]),
  ]
  // The other side has chosen these names, so they may contain anything.
  return lines.map(line => printable(line))
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = []
  // Not getPeerX509Certificate(): after it, other callers no longer get the certificate.
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  const seen = new Set<string>()
  while (next?.raw && !seen.has(next.fingerprint256) && chain.length < chainMax) {
    seen.add(next.fingerprint256)
    chain.push(new X509Certificate(next.raw))
    next = next.issuerCertificate
  }
  return chain
}

/** Joins the lines of a name: Node has a line for each part. */
const oneLine = (name: string | undefined): string => (name ?? '').replaceAll('\n', ', ')

/** `May  1 12:00:00 2027 GMT` as 2027-05-01; unchanged if it cannot be read. */
function instant(text: string): string {
  const date = new Date(text)
  return Number.isNaN(date.valueOf()) ? text : date.toISOString().slice(0, 10)
}
