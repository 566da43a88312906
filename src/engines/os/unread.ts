/** How many datagrams the system has dropped unread. */
import { SK_MEMINFO_DROPS, SOL_SOCKET, SO_MEMINFO } from './kernel-numbers.ts'
import { loadLibc } from './libc.ts'

const wordBytes = 4

/**
 * How many datagrams this socket has lost since it was opened, because its buffer was full, or a
 * filter dropped them. 0 if the system does not tell (it needs Linux 4.12 and FFI).
 */
export function unreadOf(fd: number | undefined): number {
  const libc = process.platform === 'linux' ? loadLibc() : ''
  if (typeof libc === 'string' || fd === undefined) return 0
  const found = Buffer.alloc((SK_MEMINFO_DROPS + 1) * wordBytes)
  const size = Buffer.alloc(wordBytes)
  size.writeUInt32LE(found.length)
  if (libc.getsockopt(fd, SOL_SOCKET, SO_MEMINFO, found, size) !== 0) return 0
  return found.readUInt32LE(SK_MEMINFO_DROPS * wordBytes)
}
