/** How a command ends. */
import type { RoundsComparison } from '../report/compare-rounds.ts'
import type { RunComparison } from '../report/compare-runs.ts'

/** The exit codes of all commands. */
export const exitCodes = {
  done: 0,
  /** The verdict: wrong bytes, missing bytes, a missed objective. */
  failed: 1,
  /** Bad usage: an option or an argument makes no sense. */
  usage: 2,
  /** Cannot bind or connect. */
  network: 3,
  /** The measurement is not valid: the generator was the limit. */
  invalid: 4,
  /** A defect of yodel (EX_SOFTWARE of sysexits.h). */
  defect: 70,
  /** Ended by a signal; the report is printed first. */
  interrupted: 130,
} as const

/** How a conversation ended. */
export interface Talked {
  exitCode: number
  /** The sentence for stderr; may be empty. */
  message: string
}

/** The exit code of a comparison. It is never 0 if the comparison was not possible. */
export function compareExit({
  outcome,
  verdict,
}: Pick<RunComparison | RoundsComparison, 'outcome' | 'verdict'>): number {
  if (outcome === 'unlike') return exitCodes.usage
  if (outcome === 'invalid' || outcome === 'incomplete') return exitCodes.invalid
  return verdict === 'fail' ? exitCodes.failed : exitCodes.done
}
