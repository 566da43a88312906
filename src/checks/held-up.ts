/** For how long this process itself was held up: the path did not cause that delay. */
import { performance } from 'node:perf_hooks'

/**
 * Begins to watch this process; the function that it returns says how long the longest hold-up
 * since then was. By default it looks every millisecond, so that it sees short hold-ups, too.
 */
export function heldUp(everyMs = 1): () => number {
  let lastMs = performance.now()
  let mostMs = 0
  const look = () => {
    const now = performance.now()
    mostMs = Math.max(mostMs, now - lastMs - everyMs)
    lastMs = now
  }
  const timer = setInterval(look, everyMs).unref()
  return () => {
    clearInterval(timer)
    look()
    return mostMs
  }
}
