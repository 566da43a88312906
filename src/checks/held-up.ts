/** For how long this process itself was held up: such a time is not the path's. */
import { performance } from 'node:perf_hooks'

const everyMs = 1

/**
 * Begins to look; the result says for how long at most nothing could be done since. It looks every
 * millisecond, so it is for short times.
 */
export function heldUp(): () => number {
  let lastMs = performance.now()
  let mostMs = 0
  const look = () => {
    const now = performance.now()
    mostMs = Math.max(mostMs, now - lastMs - everyMs)
    lastMs = now
  }
  const timer = setInterval(look, everyMs)
  return () => {
    clearInterval(timer)
    look()
    return mostMs
  }
}
