/** The models of serving, what was measured of each, and the medians. */
import type { EngineName } from '../vocabulary/engine-names.ts'

/** One model, measured once. Undefined is what cannot be known on this system. */
export interface ModelRound {
  /** Clients that got at least one echo while all were connected. */
  servedClients: number
  /** Echoes that came back and were verified, and the time in which they did. */
  echoes: number
  seconds: number
  ratePerSecond: number
  /** Round trips of the clients that were served; undefined if there was no echo at all. */
  p50Us: number | undefined
  p99Us: number | undefined
  /** Processor time of the server process. */
  cpuPerEchoUs: number | undefined
  /** By how much the private memory of the server grew for each client that it served. */
  memoryPerClientBytes: number | undefined
  /** The time from the start of the server to its ready line. */
  startMs: number
  /**
   * Without load: from the first connection until the last of the clients that were served had its
   * echo.
   */
  admissionMs: number
  /** Share of one processor that the load generator used: near 1 it was the limit itself. */
  loadCpuShare: number
  /** Connections that failed, by reason. */
  failures: Record<string, number>
}

export type ModelFigure = Exclude<keyof ModelRound, 'failures'>

export interface Model {
  /** The name for `--models`. */
  name: string
  label: string
  engine: EngineName
  concurrency: number
}

export interface ModelResult extends Model {
  rounds: ModelRound[]
  /** Why the model has no rounds, or fewer than wanted. */
  unavailable?: string
  /** Whether the reason was a failure, and not a refusal. */
  failed?: boolean
}

export interface EngineComparison {
  connections: number
  sizeBytes: number
  durationMs: number
  roundsWanted: number
  interrupted: boolean
  machine: { processor: string; cores: number; system: string; node: string }
  models: ModelResult[]
}

/** The median over the rounds; undefined if no round has it. */
export function medianOfRounds(model: ModelResult, figure: ModelFigure): number | undefined {
  const values = model.rounds.map(round => round[figure]).filter(value => value !== undefined)
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[middle]
  return sorted.length === 0 ? undefined : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Failures of all rounds, by reason. */
export function failuresOf({ rounds }: ModelResult): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const { failures } of rounds)
    for (const [reason, count] of Object.entries(failures)) sum[reason] = (sum[reason] ?? 0) + count
  return sum
}

/**
 * Whether every byte that came back was right, and no connection failed. Waiting is not a failure.
 */
export const isRight = ({ models }: EngineComparison): boolean =>
  models.every(model => !model.failed && Object.keys(failuresOf(model)).length === 0)
