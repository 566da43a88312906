/** The series of several parts, joined second by second on the clock of the plan. */
import type { SavedHistogram } from '../metrics/saved.ts'
import { SparseHistogram } from '../metrics/sparse.ts'
import type { Interval } from './result.ts'
import { distribution } from './summarize.ts'

/**
 * Two intervals that overlap by no more than this follow each other: timers are late by some
 * milliseconds.
 */
const slackShare = 0.1

interface SeriesRow extends Record<(typeof summed)[number], number> {
  second: number
  endSecond: number
  /** The row has the intervals that end after this second. */
  fromSecond: number
  response: SparseHistogram
}

const summed = ['sent', 'received', 'bytesReceived', 'errors'] as const

/**
 * Adds the counts of all parts. If an interval of one part reaches into the next interval of
 * another part (because a remainder has joined it), both become one. So each message is in the
 * interval in which it came. The order in which intervals are added does not matter, and none of
 * them is kept.
 */
export class Series {
  /** In the order of time; none overlaps another. */
  readonly #rows: SeriesRow[] = []

  add(interval: Interval, response: SavedHistogram): void {
    const { second, seconds } = interval
    const fromSecond = second + slackShare * seconds
    const endSecond = second + seconds
    const first = this.#firstAfter(fromSecond)
    let next = first
    while (next < this.#rows.length && this.#rows[next]!.fromSecond < endSecond) next++
    const overlapped = this.#rows.slice(first, next)
    const row = overlapped.shift() ?? emptyRow(second)
    row.second = Math.min(row.second, second)
    row.fromSecond = Math.min(row.fromSecond, fromSecond)
    row.endSecond = Math.max(row.endSecond, endSecond)
    for (const key of summed) row[key] += interval[key]
    row.response.addSaved(response)
    for (const other of overlapped) take(row, other)
    if (next - first !== 1) this.#rows.splice(first, next - first, row)
  }

  /** The first row that ends after this second. */
  #firstAfter(second: number): number {
    let [low, high] = [0, this.#rows.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#rows[middle]!.endSecond > second) high = middle
      else low = middle + 1
    }
    return low
  }

  get intervals(): Interval[] {
    return this.#rows.map(row => {
      const { second, endSecond, sent, received, bytesReceived, errors, response } = row
      const seconds = endSecond - second
      const ratePerSecond = seconds > 0 ? received / seconds : 0
      const responseUs = distribution(response.toHistogram())
      return { second, seconds, sent, received, bytesReceived, errors, ratePerSecond, responseUs }
    })
  }
}

const emptyRow = (second: number): SeriesRow => ({
  second,
  endSecond: second,
  fromSecond: Infinity,
  sent: 0,
  received: 0,
  bytesReceived: 0,
  errors: 0,
  response: new SparseHistogram(),
})

function take(row: SeriesRow, other: SeriesRow): void {
  row.second = Math.min(row.second, other.second)
  row.fromSecond = Math.min(row.fromSecond, other.fromSecond)
  row.endSecond = Math.max(row.endSecond, other.endSecond)
  for (const key of summed) row[key] += other[key]
  row.response.addAll(other.response)
}
