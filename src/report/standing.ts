/** How a result stands, in one word: what its exit code says, for people. */
import type { RunResult } from './result.ts'

/** `INVALID`: the generator was the limit, so the server is neither right nor wrong. */
export type Standing = 'PASS' | 'FAIL' | 'INVALID'

/**
 * A connection that failed is a failure even if the measurement is not valid, and so are wrong
 * bytes. An unanswered connection fails the verdict, unless an objective allows it.
 */
export function failsAnyway({ errors, corruption }: RunResult): boolean {
  const { unanswered: _, ...failures } = errors
  if (Object.values(failures).some(count => count > 0)) return true
  return (corruption?.corruptedBytes ?? 0) > 0
}

/** The standing of a result. Other reasons of a failure count only if the measurement is valid. */
export function standing(result: RunResult): Standing {
  if (failsAnyway(result)) return 'FAIL'
  if (!result.valid) return 'INVALID'
  return result.verdict === 'fail' ? 'FAIL' : 'PASS'
}

/** The standing of a comparison. Without a condition it fails only if a run has failed. */
export function comparisonStanding({
  outcome,
  verdict,
}: {
  outcome: 'compared' | 'unlike' | 'invalid' | 'incomplete' | 'failed'
  verdict: 'pass' | 'fail'
}): Standing {
  if (outcome !== 'compared' && outcome !== 'failed') return 'INVALID'
  return verdict === 'fail' ? 'FAIL' : 'PASS'
}
