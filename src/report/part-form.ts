/** The form of the section `part` in the result of a slice, which `merge` reads. docs/parts.md */
import type { SavedHistogram, SavedSnapshot } from '../metrics/saved.ts'

/** Changes with everything that a merge reads. */
export const partFormat = 'yodel-part-1'

export interface PartSection {
  format: typeof partFormat
  /** `slice` 2 `of` 5 is the second of five. */
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
  /** ISO 8601, by the clock of its machine; how much later than --start-at, or null. */
  startedAt: string
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
  /** How far off its clock may be from that of the coordinator, from what it was found to be. */
  clockErrorMs: number
  /** It was lost: in seconds after the end of the warm-up, when its last counts were taken. */
  lostSecond?: number
  /** How many messages of its plan came after that, as far as the plan says: nothing is known. */
  unknown?: number | null
}
