/** What the stages of a load whose rate changes have measured. */
import { failureNames } from '../metrics/meter.ts'
import type { Snapshot } from '../metrics/snapshot.ts'
import type { Findings } from './findings.ts'
import { meets, parseObjective } from './objective.ts'
import type { RunResult, StageFigures } from './result.ts'
import { distribution, summarize } from './summarize.ts'

/** What happened in a stage, by the clock. */
export interface StagePassed {
  /** As it was written, and how long it was to be. */
  text: string
  ms: number
  /** When it began, after the end of the warm-up. */
  beganMs: number
  /** What happened; `atMs` is how long it really was. */
  passed: Snapshot
}

/** By the clock some messages of a stage are always under way at its end: they are not lost. */
const notOfStages = new Set(['loss', 'lost'])

/** @param findings of the whole run, for the objectives, which are held against each stage */
export const stageFigures = (
  stages: readonly StagePassed[],
  findings: Findings,
  objectives: readonly string[],
): StageFigures[] =>
  stages.map(({ text, ms, beganMs, passed }, n) => {
    const { messagesSent: sent, messagesReceived: received } = passed
    // What comes behind the last one, in the drain, is of no time of its own.
    const isLast = n === stages.length - 1
    const seconds = (isLast ? Math.min(passed.atMs, ms) : passed.atMs) / 1e3
    const window = { ...findings.window, seconds, achieved: received, sent }
    const result = summarize({ ...findings, total: passed, window, intervals: [] })
    return {
      stage: text,
      second: beganMs / 1e3,
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
