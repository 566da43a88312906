/** For how long this process itself was held up: the path did not cause that delay. */
import { performance } from 'node:perf_hooks'

/**
 * Begins to look; the result says for how long at most nothing could be done since. For short times
 * it looks every millisecond.
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
