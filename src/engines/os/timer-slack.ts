/**
 * Asks the kernel to wake this thread exactly when its timers are due. By default it may wake it up
 * to 50 us later, to wake only once for several timers (PR_SET_TIMERSLACK of prctl(2)). This
 * applies only to this thread.
 */
import { PR_SET_TIMERSLACK } from './kernel-numbers.ts'
import { loadLibc } from './libc.ts'

/** The smallest slack; 0 would mean the default. */
const slackNs = 1

/** @returns whether it was granted: it needs Linux and FFI */
export function askForExactTimers(): boolean {
  const libc = process.platform === 'linux' ? loadLibc() : ''
  return typeof libc !== 'string' && libc.prctl(PR_SET_TIMERSLACK, slackNs, 0, 0, 0) === 0
}
