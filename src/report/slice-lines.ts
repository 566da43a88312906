/** The slices from which a result was merged, a line each. */
import { formatCount, formatDuration, formatRate, plural } from '../vocabulary/units.ts'
import type { Canvas } from './bars.ts'
import { micros } from './ladder.ts'
import { entry } from './lines.ts'
import type { AgentFigures, PartFigures } from './part-form.ts'
import type { RunResult } from './result.ts'

export function partLines({ run: { parts = [] } }: RunResult, canvas: Canvas): string[] {
  const firstMs = Math.min(...parts.map(({ startedAt }) => Date.parse(startedAt)))
  return parts.flatMap(part => {
    const noun = part.agent ? 'agent' : 'slice'
    return entry(`${noun} ${part.slice}`, figures(part, firstMs), canvas)
  })
}

function figures(part: PartFigures, firstMs: number): string {
  const { file, agent, connections, achievedPerSecond, p99Us, cpuShare, startErrorMs } = part
  const lateUs = agent?.latenessP99Us ?? null
  const began =
    startErrorMs === null
      ? `began ${formatDuration(Date.parse(part.startedAt) - firstMs)} after the first`
      : `began ${formatDuration(startErrorMs)} late`
  const parts = [
    plural(connections, 'connection'),
    achievedPerSecond !== null && formatRate(achievedPerSecond),
    p99Us !== null && `p99 ${micros(p99Us)}`,
    lateUs !== null && `lateness p99 ${micros(lateUs)}`,
    cpuShare !== null && `busy for ${Math.round(cpuShare * 100)} % of the time`,
    began,
    agent && `clock ±${formatDuration(agent.clockErrorMs)}`,
    agent && lostText(agent),
    !part.valid && 'NOT VALID',
  ]
  const text = parts.filter(each => typeof each === 'string').join(', ')
  const name = agent?.name ?? file
  return name === undefined ? text : `${name}: ${text}`
}

function lostText({ lostSecond, unknown }: AgentFigures): string | undefined {
  if (lostSecond === undefined) return undefined
  const rest = unknown == null ? 'what it did then is' : `${formatCount(unknown)} messages are`
  return `lost after ${formatDuration(lostSecond * 1e3)}: ${rest} unknown`
}
