/** What sessions send: the same on both ends. */
import { createPayload, type Payload } from '../../../load/payload.ts'
import { loadLibc } from '../../os/libc.ts'
import { Pages } from '../../os/pages.ts'

/**
 * Smaller than the table of a load: with the bytes that are on their way it has to fit into the
 * cache of a processor, or sending costs twice as much.
 */
const tableBytes = 2 ** 17

/** One table for each seed; clients that measure together have the same. */
let latest: { seed: number; payload: Payload } | undefined
const pages = new WeakMap<Payload, Pages>()

export function payloadOf(seed: number): Payload {
  if (latest?.seed !== seed) latest = { seed, payload: create(seed) }
  return latest.payload
}

/** The pages of the payload's table, if it can be sent without being copied. */
export const pagesOf = (payload: Payload): Pages | undefined => pages.get(payload)

function create(seed: number): Payload {
  let own: Pages | undefined
  const libc = process.platform === 'linux' ? loadLibc() : 'no other system can'
  const allocate = (sizeBytes: number) => {
    if (typeof libc === 'string') return Buffer.alloc(sizeBytes)
    own = new Pages(libc, sizeBytes)
    return own.bytes.subarray(0, sizeBytes)
  }
  const payload = createPayload({ kind: 'seeded', seed, tableBytes }, allocate)
  if (own) pages.set(payload, own)
  return payload
}
