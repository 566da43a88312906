/** Addresses of peers as the kernel writes them, as text. */
import ipaddr from 'ipaddr.js'
import { peerText } from '../../vocabulary/text.ts'
import { AF_INET, AF_INET6 } from './kernel-numbers.ts'

/** `10.0.0.1:80` of a sockaddr (ip(7), ipv6(7)); empty for other families. */
export function peerOf(name: Buffer): string {
  const family = name.readUInt16LE(0)
  if (family === AF_INET) return peerText(ipText(name.subarray(4, 8)), name.readUInt16BE(2))
  if (family !== AF_INET6) return ''
  return peerText(ipText(name.subarray(8, 24)), name.readUInt16BE(2))
}

/** Four or sixteen bytes in network order; IPv4 within IPv6 as IPv4, IPv6 as RFC 5952 has it. */
export function ipText(bytes: Uint8Array): string {
  const address = ipaddr.fromByteArray([...bytes])
  if (address.kind() === 'ipv4') return address.toString()
  const ipv6 = address as ipaddr.IPv6
  return ipv6.isIPv4MappedAddress() ? ipv6.toIPv4Address().toString() : ipv6.toRFC5952String()
}

/** An address as its bytes in network order, without a zone. */
export const ipBytes = (text: string): number[] => ipaddr.parse(text.split('%')[0]!).toByteArray()
