/** Clocks: performance.now() has a different origin in each thread, hrtime the same in all. */
import { timerMaxMs } from './units.ts'

/** Nanoseconds since this thread began. */
export const nowNs = (): number => performance.now() * 1e6

let offset: number | undefined

/**
 * Add this to an instant of this thread to get it on the clock that all threads share. The
 * difference does not change. It is measured several times, by reading one clock between two
 * readings of the other; the measurement in which least time passed is the best.
 */
export function sharedOffsetNs(): number {
  if (offset !== undefined) return offset
  let least = Infinity
  for (let look = 0; look < 9; look++) {
    const before = process.hrtime.bigint()
    const now = nowNs()
    const passed = Number(process.hrtime.bigint() - before)
    if (passed >= least) continue
    least = passed
    offset = Number(before) + passed / 2 - now
  }
  return offset!
}

export const sharedNowNs = (): number => nowNs() + sharedOffsetNs()

/** Sleeps until an instant of this thread, or until a signal; timers are late by up to 2 ms. */
export async function sleepUntil(atNs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const leftMs = (atNs - nowNs()) / 1e6
    if (leftMs <= 0) return
    await new Promise<void>(resolve => {
      const wake = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const timer = setTimeout(wake, Math.min(leftMs, timerMaxMs))
      signal.addEventListener('abort', wake)
    })
  }
}

/**
 * Add this to performance.now() to get milliseconds since 1970. To be more exact than Date.now(),
 * it reads both clocks for 2 ms. Date.now() leaves out the part of a millisecond, and this thread
 * may be held up between the two readings. Both make the difference smaller, so the greatest
 * difference is the best.
 */
export function wallOffsetMs(): number {
  let most = -Infinity
  const endMs = performance.now() + 2
  for (let now = 0; now < endMs;) {
    const wall = Date.now()
    now = performance.now()
    most = Math.max(most, wall - now)
  }
  return most
}
