/** A checksum of 32 bits over the bytes of a message that controls a session. */
import { mix } from '../vocabulary/random.ts'

/** Odd, so that a change of one byte always changes the whole (the prime of FNV-1a). */
const factor = 0x0100_0193

/** @param start what the bytes follow, such as a kind or a length */
export function checkOf(start: number, bytes: Uint8Array): number {
  let check = mix(start)
  for (const byte of bytes) check = Math.imul(check ^ byte, factor)
  return mix(check)
}
