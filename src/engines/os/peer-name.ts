/** Addresses of peers as the kernel writes them, as text. */
import { ipText } from '../../vocabulary/ip-bytes.ts'
import { peerText } from '../../vocabulary/text.ts'
import { AF_INET, AF_INET6 } from './kernel-numbers.ts'

/** `10.0.0.1:80` of a sockaddr (ip(7), ipv6(7)); empty for other families. */
export function peerOf(name: Buffer): string {
  const family = name.readUInt16LE(0)
  if (family === AF_INET) return peerText(ipText(name.subarray(4, 8)), name.readUInt16BE(2))
  if (family !== AF_INET6) return ''
  return peerText(ipText(name.subarray(8, 24)), name.readUInt16BE(2))
}
