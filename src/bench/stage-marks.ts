/** What happened in each stage of a load whose rate changes, by the clock. */
import type { Stage } from '../load/stages.ts'
import { failureNames } from '../metrics/meter.ts'
import { since, type Snapshot } from '../metrics/snapshot.ts'
import type { Findings } from '../report/findings.ts'
import { meets, parseObjective } from '../report/objective.ts'
import type { RunResult, StageFigures } from '../report/result.ts'
import { distribution, summarize } from '../report/summarize.ts'
import { timerMaxMs } from '../vocabulary/units.ts'

/** By the clock some messages of a stage are always under way at its end: they are not lost. */
const notOfStages = new Set(['loss', 'lost'])

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

  /** @param start the beginning of the window, which the warm-up is before */
  begin(start: Snapshot): void {
    this.#marks.push(start)
    let dueMs = start.atMs
    const next = () => {
      const stage = this.#stages[this.#marks.length - 1]!
      // The last one lasts until all is over.
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

  /** @param findings of the whole run, for the objectives, which are held against each stage */
  end(findings: Findings, objectives: readonly string[]): StageFigures[] {
    clearTimeout(this.#timer)
    const marks = [...this.#marks, findings.total]
    const beganMs = marks[0]!.atMs
    return this.#marks.map((from, n) => {
      const { text, ms } = this.#stages[n]!
      const passed = since(from, marks[n + 1]!)
      // What comes behind the last one, in the drain, is of no time of its own.
      const isLast = n === this.#stages.length - 1
      const seconds = (isLast ? Math.min(passed.atMs, ms) : passed.atMs) / 1e3
      const { messagesSent: sent, messagesReceived: received } = passed
      const window = { ...findings.window, seconds, achieved: received, sent }
      const result = summarize({ ...findings, total: passed, window, intervals: [] })
      return {
        stage: text,
        second: (from.atMs - beganMs) / 1e3,
        seconds,
        planned: passed.messagesPlanned,
        sent,
        received,
        errors: failureNames.reduce((sum, name) => sum + passed[name], 0),
        ratePerSecond: seconds > 0 ? received / seconds : 0,
        responseUs: distribution(passed.response),
        missed: objectives.flatMap(text => missedBy(text, result)),
      }
    })
  }
}

/** The objective with what was measured, if it was missed. */
function missedBy(text: string, result: RunResult): StageFigures['missed'] {
  const objective = parseObjective(text)
  if (notOfStages.has(objective.metric.name)) return []
  const { held, measured, measuredText } = meets(objective, result)
  return held || measured === null ? [] : [{ objective: text, measuredText }]
}

/** In which stage an objective was missed first, as a part of a sentence. */
export function firstMissed(stages: readonly StageFigures[], text: string): string | undefined {
  const at = stages.findIndex(({ missed }) => missed.some(({ objective }) => objective === text))
  if (at === -1) return undefined
  const { stage, missed } = stages[at]!
  const { measuredText } = missed.find(({ objective }) => objective === text)!
  return `stage ${at + 1} of ${stages.length} (${stage}), with ${measuredText}`
}
