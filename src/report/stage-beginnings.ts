/**
 * Finds the second of a series in which each stage begins: by the plan, since timers are not exact.
 */
import type { Interval, StageFigures } from './result.ts'

/** A stage of the plan. Its other figures are known only at the end. */
export type PlannedStage = Pick<StageFigures, 'stage' | 'second' | 'seconds'>

/** A stage that begins so shortly before the end of a second begins in the next one. */
const slackSeconds = 0.1

/** Whether it begins before the end of a second of the series. */
export const beginsWithin = (stage: PlannedStage, { second, seconds }: Interval): boolean =>
  stage.second < second + seconds - slackSeconds

/** For each second of the series the stages that begin in it, with their numbers. */
export function beginnings<S extends PlannedStage>(
  intervals: readonly Interval[],
  stages: readonly S[],
): (S & { number: number })[][] {
  const rows: (S & { number: number })[][] = intervals.map(() => [])
  for (const [n, stage] of stages.entries()) {
    const at = intervals.findIndex(interval => beginsWithin(stage, interval))
    // The last second may end together with its stage.
    rows.at(at)?.push({ ...stage, number: n + 1 })
  }
  return rows
}

/** The stages of a plan, each with when it begins. */
export function plannedStages(stages: readonly { text: string; ms: number }[]): PlannedStage[] {
  let endMs = 0
  return stages.map(({ text, ms }) => {
    const second = endMs / 1e3
    endMs += ms
    return { stage: text, second, seconds: ms / 1e3 }
  })
}
