/** A load second by second as comma-separated values; docs/bench-output.md describes them. */
import type { Interval, RunResult } from './result.ts'
import { beginnings } from './stage-beginnings.ts'

/** The title of each column, which contains the unit, and the function that reads its value. */
const columns: [title: string, value: (interval: Interval) => number | null][] = [
  ['second', interval => interval.second],
  ['seconds', interval => interval.seconds],
  ['sent', interval => interval.sent],
  ['received', interval => interval.received],
  ['bytesReceived', interval => interval.bytesReceived],
  ['errors', interval => interval.errors],
  ['ratePerSecond', interval => interval.ratePerSecond],
  ['responseMinUs', interval => interval.responseUs.min],
  ['responseMeanUs', interval => interval.responseUs.mean],
  ['responseP50Us', interval => interval.responseUs.p50],
  ['responseP90Us', interval => interval.responseUs.p90],
  ['responseP99Us', interval => interval.responseUs.p99],
  ['responseP999Us', interval => interval.responseUs.p999],
  ['responseMaxUs', interval => interval.responseUs.max],
]

/** A header and a row for each interval; a cell is empty where there was no sample. */
export function loadCsv({ intervals, stages }: RunResult): string {
  const rows = intervals.map(interval => columns.map(([, value]) => value(interval) ?? ''))
  const titles = columns.map(([title]) => title)
  if (stages) {
    titles.push('stage')
    let number = 0
    for (const [at, begun] of beginnings(intervals, stages).entries()) {
      // If several stages begin in the same second, this is the last of them.
      number = begun.at(-1)?.number ?? number
      rows[at]!.push(number)
    }
  }
  return [titles, ...rows].map(row => `${row.join(',')}\n`).join('')
}
