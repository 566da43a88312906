/**
 * Lets connections take turns. Writes that the system takes at once go on without the event loop: a
 * connection that writes many small pieces would keep all others, timers and signals waiting until
 * its last one.
 */

/** How long all connections together may go on before the event loop continues. */
const turnMs = 5

let beganAt: number | undefined

/** To be awaited after each piece. Returns undefined as long as the present turn is not over. */
export function nextTurn(): Promise<void> | undefined {
  const now = performance.now()
  if (beganAt === undefined) {
    beganAt = now
    setImmediate(() => (beganAt = undefined))
  }
  if (now - beganAt < turnMs) return undefined
  return new Promise(resolve => setImmediate(resolve))
}
