/**
 * The slices from which a result was merged, or the agents that sent the load, as a table of the
 * page.
 */
import { formatDuration } from '../../vocabulary/units.ts'
import type { PartFigures } from '../part-form.ts'
import type { RunResult } from '../result.ts'
import { agentCharts } from './agent-charts.ts'
import { figureTable } from './chart.ts'
import { countText, none, rateText, shareText, timeText } from './numbers.ts'
import { html, type Markup } from './markup.ts'

type SliceColumn = readonly [head: string, cell: (part: PartFigures) => string]

const common: readonly SliceColumn[] = [
  ['connections', part => countText(part.connections)],
  ['rate', ({ achievedPerSecond: rate }) => (rate === null ? none : `${rateText(rate)}/s`)],
  ['p99', part => timeText(part.p99Us)],
  ['busy', ({ cpuShare }) => (cpuShare === null ? none : shareText(cpuShare))],
  ['began', part => part.startedAt],
  ['late', ({ startErrorMs: ms }) => (ms === null ? none : timeText(ms * 1e3))],
]
const ofSlices: readonly SliceColumn[] = [
  ['slice', part => part.slice],
  ['file', part => part.file ?? none],
  ...common,
  ['', part => (part.valid ? '' : 'not valid')],
]
const ofAgents: readonly SliceColumn[] = [
  ['agent', part => part.slice],
  ['name', ({ agent }) => agent!.name],
  ...common,
  ['lateness p99', ({ agent }) => timeText(agent!.latenessP99Us)],
  ['clock ±', ({ agent }) => formatDuration(agent!.clockErrorMs)],
  ['', fate],
]

function fate({ agent, valid }: PartFigures): string {
  const { lostSecond } = agent!
  if (lostSecond !== undefined) return `lost after ${formatDuration(lostSecond * 1e3)}`
  return valid ? '' : 'not valid'
}

const isOfAgents = ({ run: { parts = [] } }: RunResult): boolean => parts.some(({ agent }) => agent)

export const titleOfParts = (result: RunResult): string =>
  isOfAgents(result) ? 'Agents' : 'Slices'

export function slices(result: RunResult): Markup {
  const columns = isOfAgents(result) ? ofAgents : ofSlices
  const { parts = [] } = result.run
  const table = figureTable(
    columns.map(([head]) => head),
    parts.map(part => columns.map(([, cell]) => cell(part))),
  )
  return isOfAgents(result) ? html`${agentCharts(result)}${table}` : table
}
