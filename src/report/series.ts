/** The series of several parts, joined second by second on the clock of the plan. */
import { Histogram } from '../metrics/histogram.ts'
import type { Interval } from './result.ts'
import { distribution } from './summarize.ts'

/** An interval of a part, with its response times. */
export interface PartInterval {
  interval: Interval
  response: Histogram
}

/** Timers are late by some milliseconds: an interval that overlaps by no more is the next one. */
const slackShare = 0.1

/**
 * Counts add. Where an interval of one part lies across the end of another's, because a rest has
 * joined it, both become one: so each message is in the interval in which it came.
 */
export function joinSeries(parts: readonly (readonly PartInterval[])[]): Interval[] {
  const all = parts.flat().toSorted((a, b) => a.interval.second - b.interval.second)
  const rows: PartInterval[][] = []
  let endSecond = -Infinity
  for (const each of all) {
    const { second, seconds } = each.interval
    if (second >= endSecond - slackShare * seconds) rows.push([])
    rows.at(-1)!.push(each)
    endSecond = Math.max(endSecond, second + seconds)
  }
  return rows.map(joined)
}

function joined(row: readonly PartInterval[]): Interval {
  const intervals = row.map(({ interval }) => interval)
  const sum = (key: 'sent' | 'received' | 'bytesReceived' | 'errors') =>
    intervals.reduce((total, each) => total + each[key], 0)
  const second = Math.min(...intervals.map(each => each.second))
  const seconds = Math.max(...intervals.map(each => each.second + each.seconds)) - second
  const response = new Histogram()
  for (const each of row) response.add(each.response)
  const received = sum('received')
  return {
    second,
    seconds,
    sent: sum('sent'),
    received,
    bytesReceived: sum('bytesReceived'),
    errors: sum('errors'),
    ratePerSecond: seconds > 0 ? received / seconds : 0,
    responseUs: distribution(response),
  }
}
