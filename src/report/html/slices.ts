/** The slices of which a result was merged, as a table of the page. */
import type { RunResult } from '../result.ts'
import { figureTable } from './chart.ts'
import { countText, none, rateText, shareText, timeText } from './figures.ts'
import type { Markup } from './markup.ts'

export const slices = ({ run: { parts = [] } }: RunResult): Markup =>
  figureTable(
    ['slice', 'file', 'connections', 'rate', 'p99', 'busy', 'began', 'late', ''],
    parts.map(part => [
      part.slice,
      part.file ?? none,
      countText(part.connections),
      part.achievedPerSecond === null ? none : `${rateText(part.achievedPerSecond)}/s`,
      timeText(part.p99Us),
      part.cpuShare === null ? none : shareText(part.cpuShare),
      part.startedAt,
      part.startErrorMs === null ? none : timeText(part.startErrorMs * 1e3),
      part.valid ? '' : 'not valid',
    ]),
  )
