/** A run as lines of JSON: one for each second while it goes on, and the result as the last. */
import type { Interval, RunResult } from './result.ts'
import type { PlannedStage } from './stage-beginnings.ts'

/** A second that is over; its keys are those of the intervals in a result. */
export const intervalLine = (interval: Interval): string => {
  const { second, seconds, ratePerSecond, sent, received, bytesReceived, errors, responseUs } =
    interval
  const figures = { second, seconds, ratePerSecond, sent, received, bytesReceived, errors }
  return `${JSON.stringify({ event: 'interval', ...figures, responseUs })}\n`
}

/** A stage that begins, before the second in which it does; its keys are those of the result. */
export const stageLine = (number: number, { stage, second, seconds }: PlannedStage): string =>
  `${JSON.stringify({ event: 'stage', number, stage, second, seconds })}\n`

/** The whole result, as `--json` prints it: the last line alone has everything. */
export const resultLine = (result: RunResult): string =>
  `${JSON.stringify({ event: 'result', ...result })}\n`
