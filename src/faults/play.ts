/** Plays a script of faults: sets each step when it is due. */
import { timerMaxMs } from '../vocabulary/units.ts'
import { nextChangeMs, stepAt, type FaultScript, type FaultStep } from './script.ts'

/** @param step undefined: the faults of the start are in force again */
export type OnStep = (step: FaultStep | undefined, atMs: number) => void

/**
 * Begins now; the step at 0 is in force already. A late timer sets the step that is due by then;
 * steps that were skipped are not set later. Returns a function that ends it.
 */
export function play(
  script: FaultScript,
  set: (step: FaultStep | undefined) => Promise<void>,
  onStep: OnStep,
): () => void {
  const startedAt = performance.now()
  let present = stepAt(script, 0)
  let timer: NodeJS.Timeout | undefined
  let over = false
  const turn = async (): Promise<void> => {
    const nowMs = performance.now() - startedAt
    const step = stepAt(script, nowMs)
    if (step !== present) {
      present = step
      await set(step)
      if (over) return
      onStep(step, nowMs)
    }
    const waitMs = nextChangeMs(script, nowMs) - (performance.now() - startedAt)
    if (over || waitMs === Infinity) return
    // Timers may fire a little early: then the next turn finds nothing to do, and waits again.
    timer = setTimeout(run, Math.min(Math.max(0, Math.ceil(waitMs)), timerMaxMs))
  }
  // If the server has ended, that is reported elsewhere.
  const run = () => void turn().catch(() => {})
  if (present) onStep(present, 0)
  run()
  return () => {
    over = true
    clearTimeout(timer)
  }
}
