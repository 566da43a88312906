/** How a command ends. */
import type { RoundsComparison } from '../report/compare-rounds.ts'
import type { RunComparison } from '../report/compare-runs.ts'
import type { RunResult } from '../report/result.ts'

/** What the exit status of every command means. */
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
  /** Ended by a signal, after the report. */
  interrupted: 130,
} as const

/**
 * Whether every connection was refused and nothing came back. A datagram socket learns of a refusal
 * only after it has sent; with connections, no run begins without one.
 */
export const nobodyThere = ({ datagrams, bytes, errors, run, part }: RunResult): boolean =>
  datagrams !== undefined &&
  bytes.received === 0 &&
  errors.refused >= (part?.connections ?? (run.options['connections'] as number))

/**
 * A connection that failed is a failure even if the measurement is not valid; the other reasons
 * count only if it is. A connection that owes an answer fails the verdict, unless an objective
 * allows it.
 */
export function loadExit(result: RunResult, interrupted = false): number {
  if (nobodyThere(result)) return exitCodes.network
  const { unanswered: _, ...failures } = result.errors
  if (Object.values(failures).some(count => count > 0)) return exitCodes.failed
  // Wrong bytes are wrong, even if the measurement is not valid.
  if ((result.corruption?.corruptedBytes ?? 0) > 0) return exitCodes.failed
  if (interrupted && result.messages.lost === 0) return exitCodes.interrupted
  if (!result.valid) return exitCodes.invalid
  return result.verdict === 'fail' ? exitCodes.failed : exitCodes.done
}

/** How a conversation ended. */
export interface Talked {
  exitCode: number
  /** The sentence for stderr; may be empty. */
  message: string
}

/** If the comparison was not possible, the exit code is never 0, whatever the figures are. */
export function compareExit({
  outcome,
  verdict,
}: Pick<RunComparison | RoundsComparison, 'outcome' | 'verdict'>): number {
  if (outcome === 'unlike') return exitCodes.usage
  if (outcome === 'invalid' || outcome === 'incomplete') return exitCodes.invalid
  return verdict === 'fail' ? exitCodes.failed : exitCodes.done
}
