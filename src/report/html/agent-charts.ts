/** The agents that sent a load, a bar each: so that an uneven load is seen at once. */
import type { PartFigures } from '../part-form.ts'
import type { RunResult } from '../result.ts'
import { axes, figure, type ChartArea } from './chart.ts'
import { axisCount, axisTime, rateText, timeText } from './numbers.ts'
import { html, type Markup } from './markup.ts'
import { linearScale, type Scale } from './scale.ts'
import { vertical } from './time-charts.ts'

interface Drawn {
  id: string
  heading: string
  unit: string
  value: (part: PartFigures) => number | null
  text: (value: number) => string
  axis: (value: number, y: Scale) => string
}

const drawn: readonly Drawn[] = [
  {
    id: 'agent-rates',
    heading: 'Rate of each agent',
    unit: 'messages per second',
    value: part => part.achievedPerSecond,
    text: value => `${rateText(value)}/s`,
    axis: (value, y) => axisCount(value, y.max),
  },
  {
    id: 'agent-p99',
    heading: '99th percentile of each agent',
    unit: 'response time',
    value: part => part.p99Us,
    text: timeText,
    axis: axisTime,
  },
]

export const agentCharts = ({ run: { parts = [] } }: RunResult): Markup[] =>
  drawn.filter(({ value }) => parts.some(part => value(part))).map(each => chart(parts, each))

const numberOf = ({ slice }: PartFigures) => Number(slice.split('/')[0])

function chart(parts: readonly PartFigures[], { id, heading, unit, value, text, axis }: Drawn) {
  const known = parts.flatMap(part => value(part) ?? [])
  const [least, most] = [Math.min(...known), Math.max(...known)]
  const last = Number(parts[0]!.slice.split('/')[1])
  const draw = (canvas: ChartArea) => {
    const { left, right, bottom } = canvas
    const y = linearScale({ min: 0, max: most, ...vertical(canvas), ticks: canvas.yTicks })
    const wide = (right - left) / last
    const at = (agent: number) => Number((left + (agent - 0.5) * wide).toFixed(2))
    const bars = parts.map(part => {
      const found = value(part)
      if (found === null) return false
      const from = at(numberOf(part)) - wide * 0.4
      return html`<path
        d="M${from} ${bottom}V${y.at(found)}H${Number((from + wide * 0.8).toFixed(2))}V${bottom}Z"
        ><title>${part.agent!.name}: ${text(found)}</title></path
      > `
    })
    const step = Math.ceil(last / canvas.xTicks)
    const ticks = Array.from({ length: Math.ceil(last / step) }, (_, n) => 1 + n * step)
    const frame = axes(
      canvas,
      { scale: { at, ticks, log: false, min: 1, max: last }, name: 'agent', text: String },
      { scale: y, name: unit, text: each => axis(each, y) },
    )
    return html`${frame}<g class="bars">${bars}</g>`
  }
  const caption = `From ${text(least)} to ${text(most)}.`
  return figure({ id, heading, caption, draw })
}
