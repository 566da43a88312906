/** Outages of connections that were opened again: their figures, and as text. */
import { atMost, overlapping, sumOfClasses, type Classes, type Outage } from '../load/outages.ts'
import { formatCount, formatDuration, plural } from '../vocabulary/units.ts'
import type { Canvas } from './bars.ts'
import { micros } from './ladder.ts'
import { entry, listing, table } from './lines.ts'
import type { OutageRow, OutageFigures, RunResult } from './result.ts'

/** The most rows. If there are more, rows with the least time between them are joined. */
const rowsMax = 100
const textRowsMax = 20

/** @param outages the outages of all connections, in nanoseconds after the end of the warm-up */
export function outageFigures(outages: readonly Outage[], reconnects: number): OutageFigures {
  const rows = atMost(rowsMax, overlapping(outages))
  const lost = rows.reduce((sum, outage) => sum + outage.lost, 0)
  return { reconnects, lost, rows: rows.map(figures) }
}

function figures({ beginNs, openNs, endNs, firstEchoNs, ...outage }: Outage): OutageRow {
  const seconds = (ns: number) => (ns === Infinity ? null : ns / 1e9)
  return {
    beginSeconds: beginNs / 1e9,
    openSeconds: seconds(openNs),
    endSeconds: seconds(endNs),
    connections: outage.connections,
    lost: outage.lost,
    breaks: outage.breaks,
    failedDials: outage.failedDials,
    firstEchoUs: firstEchoNs > 0 ? firstEchoNs / 1e3 : null,
  }
}

/** `closedEarly 3, reset 1` */
export const classesText = (classes: Classes): string =>
  Object.entries(classes)
    .map(([name, n]) => `${name} ${formatCount(n)}`)
    .join(', ')

/** The lines about outages, or a line that says that nothing broke. */
export function outageLines({ outages }: RunResult, canvas: Canvas): string[] {
  if (!outages) return []
  const { reconnects, lost, rows } = outages
  if (rows.length === 0) return entry('outages', 'none: no connection broke', canvas)
  const all = (of: (row: OutageRow) => Classes) =>
    rows.reduce((sum, row) => sum + sumOfClasses(of(row)), 0)
  const parts = [
    plural(
      all(row => row.breaks),
      'break',
    ),
    `${plural(
      all(row => row.failedDials),
      'dial',
    )} failed`,
    plural(reconnects, 'reconnect'),
    `${plural(lost, 'message')} lost`,
  ]
  return listing('outages', parts, canvas)
}

export function outageTable({ outages }: RunResult, canvas: Canvas): string[] {
  const rows = outages?.rows.slice(0, textRowsMax) ?? []
  if (rows.length === 0) return []
  const column = (title: string, rank: number, cell: (row: OutageRow) => string) => ({
    title,
    rank,
    cells: rows.map(cell),
  })
  const columns = [
    column('begin', 1, ({ beginSeconds }) => secondsText(beginSeconds)),
    column('end', 2, ({ endSeconds }) => secondsText(endSeconds)),
    column('lasted', 3, lasted),
    column('out', 4, ({ connections }) => formatCount(connections)),
    column('lost', 5, ({ lost }) => formatCount(lost)),
    column('first echo', 6, ({ firstEchoUs: us }) => (us === null ? '-' : micros(us))),
    column('why', 8, ({ breaks }) => classesText(breaks)),
    column('failed dials', 7, ({ failedDials }) => classesText(failedDials) || '-'),
  ]
  const lines = table(
    rows.map((_, n) => `outage ${n + 1}`),
    columns,
    canvas,
  )
  const more = outages!.rows.length - rows.length
  return more > 0
    ? [...lines, ...entry('', `${plural(more, 'outage')} more; the JSON has them`, canvas)]
    : lines
}

/** Seconds after the end of the warm-up, as text. */
export const secondsText = (seconds: number | null): string =>
  seconds === null ? '-' : `${seconds.toFixed(2)}s`

const lasted = ({ beginSeconds, endSeconds }: OutageRow): string =>
  endSeconds === null ? 'to the end' : formatDuration((endSeconds - beginSeconds) * 1e3)
