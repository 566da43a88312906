/** How long a connection that broke waits before it is opened again. */
import { mix } from '../vocabulary/random.ts'

const firstMs = 10
const mostMs = 1_000

/**
 * The wait doubles with each dial, up to a second. Half of it is random, so that connections that
 * broke together do not all come back together.
 * @param failed how many dials of this outage have failed, or led to a connection without an echo
 * @param dials how many dials there were in all on this connection
 */
export function backoffMs(seed: number, connection: number, failed: number, dials: number): number {
  const longestMs = Math.min(mostMs, firstMs * 2 ** failed)
  const at = mix(mix(mix(seed ^ 0xbac0) ^ connection) ^ dials) / 2 ** 32
  return longestMs * (0.5 + at / 2)
}
