/** The form of a part: what the result of a slice has beside its figures. docs/parts.md */
import type { SavedHistogram, SavedSnapshot } from '../metrics/saved.ts'

/** Changes with everything that a merge reads. */
export const partFormat = 'yodel-part-1'

export interface Part {
  format: typeof partFormat
  /** The second of five is 2 of 5. */
  slice: number
  of: number
  /** Its own; the options are those of the whole load. */
  connections: number
  /** When sending began, by its own clock: milliseconds since 1970. */
  startedMs: number
  /** How much later than it was told; null if it was not told when. */
  startErrorMs: number | null
  /** The objectives, which are those of the whole load. */
  expect: string[]
  total: SavedSnapshot
  /** Of each thread; instants are nanoseconds after the start. */
  threads: unknown[]
  /** The response times of each interval. */
  intervals: SavedHistogram[]
  /** Of a load whose rate changes: each stage, whether it began or not. */
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
  /** ISO 8601, by the clock of its machine; how much later than it was told, or null. */
  startedAt: string
  startErrorMs: number | null
  achievedPerSecond: number | null
  p99Us: number | null
  /** Share of a processor that the busiest of its threads used; null where it is not known. */
  cpuShare: number | null
  valid: boolean
}
