/** Computes rates from how much a receiver had at a few instants, by its own clock. */
import type { Mark } from '../../load/direction/thread-flows.ts'
import type { Report } from '../../wire/direction/trace.ts'

/** The window that is measured, counted from the first arrival. */
export interface MarkedWindow {
  fromMs: number
  lengthMs: number
}

/** How much had come at each known instant, counted from the first arrival. */
function pointsOf(report: Report | undefined, marks: readonly Mark[]): Mark[] {
  const firstMs = report?.end?.firstMs ?? marks[0]?.[0] ?? 0
  const points: Mark[] = [[0, 0]]
  const all = report ? [...marks, [report.atMs, report.bytes] as const] : marks
  for (const [atMs, bytes] of all)
    if (atMs - firstMs > points.at(-1)![0]) points.push([atMs - firstMs, bytes])
  return points
}

/**
 * How many bytes had come at an instant after the first arrival; between two marks in proportion.
 */
export function bytesAt(report: Report | undefined, marks: readonly Mark[], atMs: number): number {
  const points = pointsOf(report, marks)
  const next = points.findIndex(([ms]) => ms > atMs)
  if (next === -1) return points.at(-1)![1]
  const [[fromMs, from], [toMs, to]] = [points[next - 1] ?? points[0]!, points[next]!]
  return from + ((to - from) * (atMs - fromMs)) / (toMs - fromMs || 1)
}

/**
 * Bytes per second in the window, or in the part of it that was seen; undefined if no part was.
 * Time in which the receiver waited and nothing came counts, too.
 */
export function rateOf(
  report: Report | undefined,
  marks: readonly Mark[],
  { fromMs, lengthMs }: MarkedWindow,
  awaitedMs?: number,
): number | undefined {
  const lastMs = seenMs(report, marks, awaitedMs)
  const untilMs = Math.min(lastMs, fromMs + lengthMs)
  const startMs = untilMs > fromMs ? fromMs : 0
  if (untilMs <= startMs) return undefined
  const bytes = bytesAt(report, marks, untilMs) - bytesAt(report, marks, startMs)
  return bytes / ((untilMs - startMs) / 1e3)
}

/** For how long bytes came, or were awaited. Time of which nothing is known does not count. */
function seenMs(report: Report | undefined, marks: readonly Mark[], awaitedMs = 0): number {
  const lastMs = pointsOf(report, marks).at(-1)![0]
  return report ? Math.max(lastMs, awaitedMs) : lastMs
}

/** How many whole seconds of the window were seen; a second that is a little short counts. */
export function secondsOf(
  report: Report | undefined,
  marks: readonly Mark[],
  { fromMs, lengthMs }: MarkedWindow,
  awaitedMs?: number,
): number {
  const lastMs = seenMs(report, marks, awaitedMs)
  return Math.max(0, Math.floor((Math.min(lastMs - fromMs, lengthMs) + slackMs) / 1e3))
}

/** The distance between marks, and so by how much a second may be short. */
const slackMs = 100
