/** The form of the section `part` in the result of a slice, which `merge` reads. docs/parts.md */
import type { SavedHistogram, SavedSnapshot } from '../metrics/saved.ts'

/** The format, which changes whenever the content that a merge reads changes. */
export const partFormat = 'yodel-part-1'

export interface PartSection {
  format: typeof partFormat
  /** With `slice` 2 and `of` 5 it is the second of five slices. */
  slice: number
  of: number
  /** The connections of this slice; the options are those of the whole load. */
  connections: number
  /** When sending began, by the clock of its machine: milliseconds since 1970. */
  startedMs: number
  /** How much later than --start-at it began; null without --start-at. */
  startErrorMs: number | null
  /** What a client sends before its first message: the words of each such option, by its flag. */
  calling: Record<string, string>
  /** The objectives, which are those of the whole load. */
  expect: string[]
  total: SavedSnapshot
  /** What each thread found out; instants are nanoseconds after the start. */
  threads: unknown[]
  /** The response times of each interval. */
  intervals: SavedHistogram[]
  /** For a load whose rate changes: each stage, whether it began or not. */
  stages: SavedStage[] | null
}

interface SavedStage {
  text: string
  ms: number
  beganMs: number
  passed: SavedSnapshot
}

/** A row of the slices that a result was merged from. */
export interface PartFigures {
  /** `2/5`. */
  slice: string
  /** The name of its file. */
  file?: string
  connections: number
  /** ISO 8601, by the clock of its machine. */
  startedAt: string
  /** How much later than --start-at it began; null without --start-at. */
  startErrorMs: number | null
  achievedPerSecond: number | null
  p99Us: number | null
  /** Share of a processor that the busiest of its threads used; null where it is not known. */
  cpuShare: number | null
  valid: boolean
  /** Only with agents. */
  agent?: AgentFigures
}

/** What the coordinator of a load knows of one of its agents. */
export interface AgentFigures {
  name: string
  latenessP99Us: number | null
  /** By how much the measured offset of its clock may be wrong. */
  clockErrorMs: number
  /**
   * If the agent was lost: when its last counts were taken, in seconds after the end of the
   * warm-up.
   */
  lostSecond?: number
  /**
   * How many messages of its plan were due after that, if the plan says so. It is not known what
   * became of them.
   */
  unknown?: number | null
}
