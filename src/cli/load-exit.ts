/** The exit code and the last words of a command that sent a load. */
import type { RunResult } from '../report/result.ts'
import { failsAnyway, standing, type Standing } from '../report/standing.ts'
import { exitCodes } from './exit.ts'

/**
 * Whether every connection was refused and nothing came back. A datagram socket learns of a refusal
 * only after it has sent; on other transports a run does not begin if no connection can be opened.
 */
export const nobodyThere = ({ datagrams, bytes, errors, run, part }: RunResult): boolean =>
  datagrams !== undefined &&
  bytes.received === 0 &&
  errors.refused >= (part?.connections ?? (run.options['connections'] as number))

/**
 * The exit code of a load. Wrong bytes decide it even if the run was ended early, or is not valid.
 */
export function loadExit(result: RunResult, interrupted = false): number {
  if (nobodyThere(result)) return exitCodes.network
  if (failsAnyway(result)) return exitCodes.failed
  if (interrupted && result.messages.lost === 0) return exitCodes.interrupted
  return standingExit[standing(result)]
}

export const standingExit: Record<Standing, number> = {
  PASS: exitCodes.done,
  FAIL: exitCodes.failed,
  INVALID: exitCodes.invalid,
}
