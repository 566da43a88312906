/** Judges a result by its objectives. */
import { meets, missedText, parseObjective } from './objective.ts'
import type { RunResult } from './result.ts'
import { withVerdict } from './summarize.ts'

/** @param firstMissed the stage in which an objective was first missed, if there are stages */
export function judge(
  result: RunResult,
  objectives: readonly string[],
  firstMissed: (objective: string) => string | undefined = () => undefined,
): RunResult {
  const expectations = objectives.map(text => meets(parseObjective(text), result))
  const missed = (isOwn: boolean) =>
    expectations
      .filter(({ held, ownFault = false }) => !held && ownFault === isOwn)
      .map(expectation => {
        const first = firstMissed(expectation.objective)
        return `${missedText(expectation)}${first ? ` It was first missed in ${first}.` : ''}`
      })
  // The objective held over the whole run, but not in a stage.
  for (const { objective, held } of expectations) {
    const first = held ? firstMissed(objective) : undefined
    if (first) result.notes.push(`${objective} held in all, but was first missed in ${first}.`)
  }
  const failedBecause = [...result.failedBecause, ...missed(false)]
  // What was missed by the generator's own fault makes the run invalid; the server did not fail.
  const invalidBecause = [...result.invalidBecause, ...missed(true)]
  return withVerdict({ ...result, expectations, failedBecause, invalidBecause })
}
