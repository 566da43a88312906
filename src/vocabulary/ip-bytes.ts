/** IP addresses as bytes in network order, and as text. */
import ipaddr from 'ipaddr.js'

/** The four or sixteen bytes of an address, without its zone. */
export function ipBytes(text: string): number[] {
  const bare = text.split('%')[0]!
  // The package reads ::192.0.2.1 as ::ffff:192.0.2.1; a URL writes IPv6 without dots.
  const isMixed = bare.includes(':') && bare.includes('.')
  const plain = isMixed ? new URL(`tcp://[${bare}]`).hostname.slice(1, -1) : bare
  return ipaddr.parse(plain).toByteArray()
}

/** The text of four or sixteen bytes; IPv6 in the form of RFC 5952. */
export function exactIpText(bytes: Uint8Array): string {
  const address = ipaddr.fromByteArray([...bytes])
  return address.kind() === 'ipv4' ? address.toString() : (address as ipaddr.IPv6).toRFC5952String()
}

/** Like exactIpText(), but IPv4 within IPv6 is written as IPv4. */
export function ipText(bytes: Uint8Array): string {
  const address = ipaddr.fromByteArray([...bytes])
  const isMapped = address.kind() === 'ipv6' && (address as ipaddr.IPv6).isIPv4MappedAddress()
  return exactIpText(isMapped ? bytes.subarray(12) : bytes)
}
