/**
 * Tells the system to deliver several datagrams that came together as one piece, end to end
 * (udp(7), UDP_GRO; Linux 5.0). They are of one size; only the last may be shorter.
 */
import { SOL_UDP, UDP_GRO } from './kernel-numbers.ts'
import { loadLibc } from './libc.ts'

/** @returns whether the system does that from now on */
export function receiveJoined(fd: number | undefined): boolean {
  const libc = process.platform === 'linux' ? loadLibc() : 'no other system can'
  if (typeof libc === 'string' || fd === undefined) return false
  return libc.setsockopt(fd, SOL_UDP, UDP_GRO, new Uint8Array([1, 0, 0, 0]), 4) === 0
}
