/**
 * Has the memory of chunks that went through given back early. Node reads each chunk into new
 * memory, which is garbage as soon as the chunk has left. V8 up to 12 (Node 22) collected it at
 * 32 MiB; V8 13 (Node 24) and later let twice as much gather, so that a program through which
 * megabytes flow takes 40 MB more than it needs. To collect more often costs less than it saves:
 * what is used again at once is still in the processor's cache.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** So many bytes that went through; what was read to send them, and to make them, is as much. */
const collectAtBytes = 4 * 2 ** 20

type Collect = (options: { type: 'minor' }) => void

export class Spent {
  #bytes = 0
  #collect: Collect | undefined

  /** So many went through and are not needed any more. */
  add(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes < collectAtBytes) return
    this.#bytes = 0
    // The young generation only: it takes less than a millisecond.
    this.#collect ??= findCollector()
    this.#collect({ type: 'minor' })
  }
}

/** V8 has it wherever the flag is set, in each new context. */
function findCollector(): Collect {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as Collect
}
