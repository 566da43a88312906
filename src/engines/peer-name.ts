/** Addresses of peers as the kernel writes them, as text. */
import { peerText } from '../vocabulary/text.ts'

const AF_INET = 2
const AF_INET6 = 10

/** `10.0.0.1:80` of a sockaddr (ip(7), ipv6(7)); empty for other families. */
export function peerOf(name: Buffer): string {
  const family = name.readUInt16LE(0)
  if (family === AF_INET) return peerText(ipv4Text(name.subarray(4, 8)), name.readUInt16BE(2))
  if (family !== AF_INET6) return ''
  return peerText(ipv6Text(name.subarray(8, 24)), name.readUInt16BE(2))
}

/** Four bytes in network order. */
export const ipv4Text = (bytes: Uint8Array): string => bytes.join('.')

/** Sixteen bytes in network order, shortened as RFC 5952 has it. */
export function ipv6Text(bytes: Uint8Array): string {
  const isMapped = bytes.subarray(0, 10).every(byte => byte === 0) && bytes[10] === 255
  if (isMapped && bytes[11] === 255) return ipv4Text(bytes.subarray(12))
  const groups = Array.from({ length: 8 }, (_, n) => (bytes[n * 2]! << 8) | bytes[n * 2 + 1]!)
  const [start, length] = longestZeros(groups)
  const hex = (part: number[]) => part.map(group => group.toString(16)).join(':')
  if (length < 2) return hex(groups)
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`
}

/** Where the first of the longest runs of zeros begins, and how long it is. */
function longestZeros(groups: number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0]
  let run = 0
  for (const [place, group] of groups.entries()) {
    run = group === 0 ? run + 1 : 0
    if (run > best[1]) best = [place + 1 - run, run]
  }
  return best
}
