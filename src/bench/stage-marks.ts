/**
 * Takes a snapshot at the end of each stage of a load whose rate changes, for figures that are
 * counted by the clock.
 */
import type { Stage } from '../load/stages.ts'
import { since, takeSnapshot, type Snapshot } from '../metrics/snapshot.ts'
import type { StagePassed } from '../report/stage-figures.ts'
import { timerMaxMs } from '../vocabulary/units.ts'

export class StageMarks {
  readonly #stages: readonly Stage[]
  readonly #snapshot: () => Snapshot
  /** Where each stage began; the next is at the end of the one before it. */
  readonly #marks: Snapshot[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(stages: readonly Stage[], snapshot: () => Snapshot) {
    this.#stages = stages
    this.#snapshot = snapshot
  }

  /** @param start the beginning of the window, after the warm-up */
  begin(start: Snapshot): void {
    this.#marks.push(start)
    let dueMs = start.atMs
    const next = () => {
      const stage = this.#stages[this.#marks.length - 1]!
      // The last stage lasts until the end of the run.
      if (this.#marks.length === this.#stages.length) return
      dueMs += stage.ms
      this.#wait(dueMs, () => {
        this.#marks.push(this.#snapshot())
        next()
      })
    }
    next()
  }

  #wait(untilMs: number, then: () => void): void {
    const leftMs = untilMs - performance.now()
    this.#timer = setTimeout(
      () => (leftMs > timerMaxMs ? this.#wait(untilMs, then) : then()),
      Math.min(leftMs, timerMaxMs),
    )
  }

  /**
   * The figures of each stage, whether it began or not.
   * @param total the snapshot at the end of the run
   */
  end(total: Snapshot): StagePassed[] {
    clearTimeout(this.#timer)
    // A short run may be over before this thread has seen it begin.
    const marks = this.#marks.length > 0 ? this.#marks : [{ ...takeSnapshot([]), atMs: total.atMs }]
    let endMs = 0
    return this.#stages.map(({ text, ms }, n) => {
      const beganMs = endMs
      endMs += ms
      return { text, ms, beganMs, passed: since(marks[n] ?? total, marks[n + 1] ?? total) }
    })
  }
}
