/** Makes a certificate for a server without one: self-signed, ECDSA on P-256 (RFC 5280, 5480). */
import { createHash, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { domainToASCII } from 'node:url'
import { withoutZone } from '../../vocabulary/address.ts'
import { ipBytes } from '../../vocabulary/ip-bytes.ts'
import { bits, context, integer, octets, oid, sequence, set, time, tagged, yes } from './der.ts'

/** A certificate and its key, in PEM. */
export interface Identity {
  cert: string
  key: string
}

/** Long enough for a server that runs for months, and short enough for every client. */
const validMs = 365 * 24 * 3600e3
/** Clocks of clients may be slow. */
const skewMs = 3600e3

/** @param names host names and IP addresses, the latter without zone; at least one */
export function createCertificate(names: readonly string[], now = Date.now()): Identity {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const publicInfo = publicKey.export({ type: 'spki', format: 'der' })
  // The uncompressed point is the last part of it (RFC 5480, section 2.2).
  const point = publicInfo.subarray(-65)
  const algorithm = sequence(oid('1.2.840.10045.4.3.2')) // ecdsa-with-SHA256
  // RFC 7093, section 2, method 1. It protects nothing, but SHA-1 is forbidden in places.
  const keyId = createHash('sha256').update(point).digest().subarray(0, 20)
  // Each certificate has another name, so that a user who trusts several can distinguish them.
  const commonName = `yodel ${keyId.toString('hex', 0, 4)}`
  const name = sequence(set(sequence(oid('2.5.4.3'), tagged(0x0c, Buffer.from(commonName)))))
  const unsigned = sequence(
    context(0, integer(Buffer.of(2))), // version 3
    integer(serialNumber()),
    algorithm,
    name,
    sequence(time(new Date(now - skewMs)), time(new Date(now + validMs))),
    name,
    publicInfo,
    context(3, sequence(...extensions(names, keyId))),
  )
  const signed = sequence(unsigned, algorithm, bits(sign('sha256', unsigned, privateKey)))
  const lines = signed.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')
  const cert = `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
  return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string }
}

/** 126 random bits; positive, and no shorter encoding exists (RFC 5280, section 4.1.2.2). */
function serialNumber(): Buffer {
  const serial = randomBytes(16)
  serial[0] = (serial[0]! & 0x3f) | 0x40
  return serial
}

/** The extensions of the certificate (RFC 5280, section 4.2.1). */
function extensions(names: readonly string[], keyId: Buffer): Buffer[] {
  const extension = (id: string, value: Buffer, critical = false) =>
    sequence(oid(id), ...(critical ? [yes] : []), octets(value))
  return [
    extension('2.5.29.19', sequence(), true), // basicConstraints: no authority
    extension('2.5.29.15', bits(Buffer.of(0x80), 7), true), // keyUsage: digitalSignature
    extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'))), // extKeyUsage: serverAuth
    extension('2.5.29.17', sequence(...names.map(generalName))), // subjectAltName
    extension('2.5.29.14', octets(keyId)), // subjectKeyIdentifier
  ]
}

const generalName = (name: string): Buffer =>
  isIP(name)
    ? tagged(0x87, Uint8Array.from(ipBytes(name)))
    : tagged(0x82, Buffer.from(domainToASCII(name)))

/** The names and addresses by which a server that listens there can be reached. */
export function namesOf(host: string): string[] {
  const names = ['localhost', '127.0.0.1', '::1']
  // The two addresses that stand for all addresses of this machine (RFC 4291, section 2.5.2).
  if (host === '0.0.0.0' || host === '::') {
    const interfaces = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
    names.push(hostname(), ...interfaces.map(({ address }) => address))
  } else names.push(host)
  // Leaves out host names that a certificate cannot contain.
  return [...new Set(names.map(withoutZone))].filter(
    name => isIP(name) || domainToASCII(name) !== '',
  )
}

/** SHA-256 over the first certificate of a PEM text, in lower-case hexadecimal. */
export const fingerprintOf = (pem: string): string => plain(new X509Certificate(pem).fingerprint256)

/** A fingerprint as we write it: some write it with colons or spaces, in upper case. */
export const plain = (fingerprint: string): string =>
  fingerprint.replaceAll(/[:\s]/g, '').toLowerCase()
