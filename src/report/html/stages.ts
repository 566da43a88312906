/** The stages of a load whose rate changes: their table, and their marks in the charts. */
import { parseStages, type Stage } from '../../load/stages.ts'
import type { Interval, RunResult, StageFigures } from '../result.ts'
import { beginnings } from '../stage-beginnings.ts'
import { figureTable, line, type ChartArea } from './chart.ts'
import { clockText, countText, rateText, timeText } from './numbers.ts'
import { html, type Markup, type Content } from './markup.ts'
import type { Scale } from './scale.ts'

export function stagesTable({ stages = [], seconds }: RunResult): Markup {
  const missed = stages.flatMap((stage, n) => missedIn(n + 1, stage))
  return html`${figureTable(
      ['stage', 'begins', 'planned', 'came back', 'messages/s', 'p50', 'p99', 'failures'],
      stages.map((stage, n) => [
        `${n + 1}: ${stage.stage}`,
        clockText(stage.second, seconds),
        countText(stage.planned),
        countText(stage.received),
        rateText(stage.ratePerSecond),
        timeText(stage.responseUs.p50),
        timeText(stage.responseUs.p99),
        countText(stage.errors),
      ]),
    )}
    ${
      missed.length > 0 &&
      html`<ul>
        ${missed}
      </ul>`
    }
    <p class="aside">
      A message belongs to the stage in which it was planned. The charts below mark where each stage
      begins.
    </p> `
}

const missedIn = (number: number, { stage, missed }: StageFigures): Markup[] =>
  missed.map(
    ({ objective, measuredText }) =>
      html`<li>
        <strong class="missed">Missed</strong> in stage ${number} (${stage}):
        <code>${objective}</code>, measured ${measuredText}.
      </li>`,
  )

/** The stages of the plan, read from their text; none if a file was edited and cannot be read. */
function stagesIn({ run, stages }: RunResult): Stage[] {
  try {
    return stages ? parseStages(String(run.options['stages'])) : []
  } catch {
    return []
  }
}

/** The rates of the plan: of each stage its first and its last. */
export const ratesOf = (result: RunResult): number[] =>
  stagesIn(result).flatMap(({ from, to }) => [from, to])

/** The rate of the plan, as steps and ramps. */
export function planLine(result: RunResult, x: Scale, y: Scale): Content {
  let [path, at] = ['', 0]
  for (const { from, to, ms } of stagesIn(result)) {
    const end = Math.min(at + ms / 1e3, x.max)
    if (end <= at) break
    const last = from + ((to - from) * (end - at)) / (ms / 1e3)
    path += `${path ? 'L' : 'M'}${x.at(at)} ${y.at(from)}L${x.at(end)} ${y.at(last)}`
    at = end
  }
  return path !== '' && line('plan', path)
}

/**
 * The least distance between two numbers. Numbers that would overlap are left out; lines are not.
 */
const apart = 16

/** A line where each stage begins, with its number. */
export function stageMarks({ stages = [] }: RunResult, x: Scale, canvas: ChartArea): Content {
  if (stages.length === 0) return false
  let last = -Infinity
  const marks = stages.map(({ stage, second }, n) => {
    const at = x.at(Math.min(second, x.max))
    const isApart = at - last >= apart
    if (isApart) last = at
    return html`<path d="M${at} ${canvas.top - 8}V${canvas.bottom}"
        ><title>Stage ${n + 1}: ${stage}</title></path
      >${isApart && html`<text class="number" x="${at + 4}" y="${canvas.top - 1}">${n + 1}</text>`}`
  })
  return html`<g class="stages">${marks}</g> `
}

/** A column for the tables of seconds, which says where a stage begins; none without stages. */
export function stageColumn({ intervals, stages }: RunResult) {
  if (!stages) return { head: [], cellOf: (): Content[] => [] }
  const cells = new Map<Interval, string>()
  for (const [at, begun] of beginnings(intervals, stages).entries())
    cells.set(intervals[at]!, begun.map(({ number, stage }) => `${number}: ${stage}`).join('; '))
  return { head: ['stage begins'], cellOf: (each: Interval): Content[] => [cells.get(each) ?? ''] }
}

export const marksCaption = ({ stages = [] }: RunResult): string =>
  stages.length === 0 ? '' : ' The numbers mark where each stage begins.'
