/** A timeout of the other side: the time in which this thread was held up is not its fault. */
import { timerMaxMs } from '../../../vocabulary/units.ts'

/** A timer so late shows that what has come in the meantime is not read yet. */
const lateMs = 10
/** So long there is then to read it. */
const readMs = 50

/** Calls `then` after a timeout. Returns what ends the wait. */
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
