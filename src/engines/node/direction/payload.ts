/** What sessions send: the same on both ends. */
import { createPayload, type Payload } from '../../../load/payload.ts'

/**
 * Smaller than that of a load: with the bytes that are on their way it has to fit into the cache of
 * a processor, or sending costs twice as much.
 */
const tableBytes = 2 ** 17

/** One table for each seed; clients that measure together have the same. */
let latest: { seed: number; payload: Payload } | undefined

export function payloadOf(seed: number): Payload {
  if (latest?.seed !== seed)
    latest = { seed, payload: createPayload({ kind: 'seeded', seed, tableBytes }) }
  return latest.payload
}
