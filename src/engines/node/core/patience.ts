/**
 * A timeout for the other side, without the time in which this thread itself was held up.
 */
import { timerMaxMs } from '../../../vocabulary/units.ts'

/** If a timer is this late, the thread was held up, and has not read what came in the meantime. */
const lateMs = 10
/** How long the thread then reads before the other side counts as timed out. */
const readMs = 50

/** Calls `then` after a timeout. Returns a function that ends the wait. */
export function afterTimeout(timeoutMs: number, then: () => void): () => void {
  const ms = Math.min(timeoutMs, timerMaxMs)
  let timer: NodeJS.Timeout
  let read: NodeJS.Immediate | undefined
  // If the timer was late, waits once more, so that the thread reads what has come; and again if
  // the thread was stopped meanwhile.
  const wait = (forMs: number, waitedForMs: number) => {
    const dueMs = performance.now() + forMs
    timer = setTimeout(() => {
      const byMs = performance.now() - dueMs
      if (byMs >= Math.max(Math.min(lateMs, ms / 2), 2 * waitedForMs))
        return wait(Math.min(readMs, ms / 2), byMs)
      // In case this timer is late, too: an immediate runs after everything that can be read now.
      if (waitedForMs > 0) read = setImmediate(then)
      else then()
    }, forMs)
  }
  wait(ms, 0)
  return () => {
    clearTimeout(timer)
    clearImmediate(read)
  }
}
