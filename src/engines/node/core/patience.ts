/**
 * A timeout for the other side, which is not to blame for the time in which this thread was held
 * up.
 */
import { timerMaxMs } from '../../../vocabulary/units.ts'

/** If a timer is this late, what has come in the meantime is not read yet. */
const lateMs = 10
/** How long this thread then reads, before the other side has timed out. */
const readMs = 50

/** Calls `then` after a timeout. Returns a function that ends the wait. */
export function afterTimeout(timeoutMs: number, then: () => void): () => void {
  const ms = Math.min(timeoutMs, timerMaxMs)
  const dueMs = performance.now() + ms
  const look = () => {
    if (performance.now() - dueMs < Math.min(lateMs, ms / 2)) return then()
    timer = setTimeout(then, Math.min(readMs, ms / 2))
  }
  let timer = setTimeout(look, ms)
  return () => clearTimeout(timer)
}
