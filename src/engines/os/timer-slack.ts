/**
 * Has the kernel wake this thread when its timers are due, and not up to 50 us later, as it does to
 * wake for several at once (PR_SET_TIMERSLACK of prctl(2)). This applies only to this thread.
 */
import { PR_SET_TIMERSLACK } from './kernel-numbers.ts'
import { loadLibc } from './libc.ts'

/** The least; 0 would ask for the default. */
const slackNs = 1

/** @returns whether it was granted: it needs Linux and FFI */
export function askForExactTimers(): boolean {
  const libc = process.platform === 'linux' ? loadLibc() : ''
  return typeof libc !== 'string' && libc.prctl(PR_SET_TIMERSLACK, slackNs, 0, 0, 0) === 0
}
