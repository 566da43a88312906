/**
 * Frees the memory of chunks early, once they have gone through. Node reads each chunk into new
 * memory, which is garbage as soon as the chunk has left. V8 up to 12 (Node 22) collected it at 32
 * MiB; V8 13 (Node 24) and later collect it at twice as much. So a thread with a large flow takes
 * 40 MB more than it needs. Collecting more often costs nothing overall: memory that is used again
 * at once is still in the processor's cache.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How many bytes may pass before a collection; other garbage is about as much again. */
const collectAtBytes = 4 * 2 ** 20

type Collect = (options: { type: 'minor' }) => void

/** Bytes that passed through this thread since the last collection. */
let garbageBytes = 0
let collect: Collect | undefined

/** To be called with the number of bytes that passed through this thread, and are soon garbage. */
export function countGarbage(bytes: number): void {
  garbageBytes += bytes
  if (garbageBytes < collectAtBytes) return
  garbageBytes = 0
  // The young generation only: it takes about a millisecond.
  collect ??= findCollector()
  collect({ type: 'minor' })
}

/** V8 provides gc() in each new context once the flag is set. */
function findCollector(): Collect {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as Collect
}
