/**
 * Reads and writes the header of the PROXY protocol, versions 1 and 2. With it a proxy says, before
 * the first byte, for which client it connects (haproxy's doc/proxy-protocol.txt, 2020/03/05).
 */
import { isIPv4, isIPv6 } from 'node:net'
import { exactIpText, ipBytes } from '../vocabulary/ip-bytes.ts'

/** The client that a proxy forwards, and the address that it wanted. */
export interface Forwarded {
  source: string
  sourcePort: number
  destination: string
  destinationPort: number
}

export type ProxyHeader =
  /** More bytes are needed to decide. */
  | { kind: 'incomplete' }
  /** The bytes begin with no such header. */
  | { kind: 'absent' }
  /** @property reason why, as a sentence */
  | { kind: 'malformed'; reason: string }
  /**
   * @property forwarded undefined if the proxy connects for itself (LOCAL), or does not know the
   * client
   */
  | { kind: 'present'; lengthBytes: number; forwarded: Forwarded | undefined }

const signature1 = Buffer.from('PROXY ')
const signature2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
/** The longest line, with its end (section 2.1). */
const lineMaxBytes = 107
/** The bytes before the addresses (section 2.2). */
const fixedBytes = 16
/** Addresses need 216 at most; the rest is for TLVs (section 2.2.7): certificates are long. */
const variableMaxBytes = 8_192
const crcType = 0x03

const malformed = (reason: string): ProxyHeader => ({ kind: 'malformed', reason })
const incomplete: ProxyHeader = { kind: 'incomplete' }

/** @param bytes the beginning of a stream */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  for (const [signature, read] of [
    [signature1, readLine],
    [signature2, readBinary],
  ] as const) {
    const length = Math.min(bytes.length, signature.length)
    if (bytes.compare(signature, 0, length, 0, length) !== 0) continue
    return bytes.length < signature.length ? incomplete : read(bytes)
  }
  return { kind: 'absent' }
}

/** Reads version 1: a line of text (section 2.1). */
function readLine(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, lineMaxBytes).indexOf('\r\n')
  if (end === -1)
    return bytes.length < lineMaxBytes ? incomplete : malformed('The line has no end.')
  const lengthBytes = end + 2
  const [, family, ...parts] = bytes.toString('latin1', 0, end).split(' ')
  // The rest of the line is ignored.
  if (family === 'UNKNOWN') return { kind: 'present', lengthBytes, forwarded: undefined }
  const isAddress = { TCP4: isIPv4, TCP6: isIPv6 }[family ?? '']
  if (!isAddress) return malformed('The family is not TCP4, TCP6 or UNKNOWN.')
  if (parts.length !== 4) return malformed('There must be two addresses and two ports.')
  const [source, destination, ...ports] = parts as [string, string, string, string]
  if (![source, destination].every(text => isAddress(text) && !text.includes('%')))
    return malformed('That is not an address of this family.')
  if (!ports.every(text => /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535))
    return malformed('That is not a port.')
  const [sourcePort, destinationPort] = ports.map(Number) as [number, number]
  const forwarded = { source, sourcePort, destination, destinationPort }
  return { kind: 'present', lengthBytes, forwarded }
}

/** Reads version 2, which is binary (section 2.2). */
function readBinary(bytes: Buffer): ProxyHeader {
  if (bytes.length < fixedBytes) return incomplete
  const [versionAndCommand, familyAndProtocol] = [bytes[12]!, bytes[13]!]
  if (versionAndCommand >>> 4 !== 2) return malformed('The version is not 2.')
  const command = versionAndCommand & 15
  if (command > 1) return malformed('The command is neither LOCAL nor PROXY.')
  const variableBytes = bytes.readUInt16BE(14)
  if (variableBytes > variableMaxBytes) return malformed('The header is too long.')
  const lengthBytes = fixedBytes + variableBytes
  if (bytes.length < lengthBytes) return incomplete
  const header = bytes.subarray(0, lengthBytes)
  const family = familyAndProtocol >>> 4
  if (family > 3 || (familyAndProtocol & 15) > 2) return malformed('The family is not known.')
  const addressBytes = [0, 12, 36, 216][family]!
  // The addresses of LOCAL are ignored, even if they are cut short.
  if (command === 0) return { kind: 'present', lengthBytes, forwarded: undefined }
  if (variableBytes < addressBytes) return malformed('The addresses are cut short.')
  const mistake = mistakeInTlvs(header, fixedBytes + addressBytes)
  if (mistake !== undefined) return malformed(mistake)
  const forwarded = family === 1 || family === 2 ? addressesIn(header, family) : undefined
  return { kind: 'present', lengthBytes, forwarded }
}

function addressesIn(header: Buffer, family: 1 | 2): Forwarded {
  const size = family === 1 ? 4 : 16
  const text = (at: number) => exactIpText(header.subarray(at, at + size))
  const ports = fixedBytes + 2 * size
  return {
    source: text(fixedBytes),
    sourcePort: header.readUInt16BE(ports),
    destination: text(fixedBytes + size),
    destinationPort: header.readUInt16BE(ports + 2),
  }
}

/** A TLV is a type, a length of two bytes and a value (section 2.2). A checksum must be right. */
function mistakeInTlvs(header: Buffer, from: number): string | undefined {
  for (let at = from; at < header.length;) {
    if (at + 3 > header.length) return 'The last TLV is cut short.'
    const end = at + 3 + header.readUInt16BE(at + 1)
    if (end > header.length) return 'The last TLV is cut short.'
    if (header[at] === crcType) {
      if (end - at !== 7) return 'A CRC32c has four bytes.'
      const zeroed = Buffer.from(header).fill(0, at + 3, end)
      if (crc32c(zeroed) !== header.readUInt32BE(at + 3)) return 'The CRC32c is wrong.'
    }
    at = end
  }
  return undefined
}

/** RFC 4960 appendix B. Headers are short and few: bit by bit is fast enough. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return ~crc >>> 0
}

/**
 * @param forwarded undefined if there is no client behind this one, and for transports without IP
 */
export function writeProxyHeader(version: 1 | 2, forwarded: Forwarded | undefined): Buffer {
  if (version === 1) return Buffer.from(`PROXY ${line(forwarded)}\r\n`)
  const command = forwarded ? 0x21 : 0x20
  const addresses = forwarded ? binary(forwarded) : Buffer.alloc(0)
  const family = addresses.length === 0 ? 0x00 : addresses.length === 12 ? 0x11 : 0x21
  const head = Buffer.from([command, family, 0, addresses.length])
  return Buffer.concat([signature2, head, addresses])
}

function line(forwarded: Forwarded | undefined): string {
  if (!forwarded) return 'UNKNOWN'
  const { source, destination, sourcePort, destinationPort } = forwarded
  const family = isIPv4(source) ? 'TCP4' : 'TCP6'
  return `${family} ${source} ${destination} ${sourcePort} ${destinationPort}`
}

function binary({ source, destination, sourcePort, destinationPort }: Forwarded): Buffer {
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(sourcePort, 0)
  ports.writeUInt16BE(destinationPort, 2)
  return Buffer.concat([Uint8Array.from([...ipBytes(source), ...ipBytes(destination)]), ports])
}
