/** The slices of which a result was merged, a line each. */
import { formatDuration, formatRate, plural } from '../vocabulary/units.ts'
import type { Canvas } from './bars.ts'
import { micros } from './ladder.ts'
import { entry } from './lines.ts'
import type { PartFigures } from './part-form.ts'
import type { RunResult } from './result.ts'

export function partLines({ run: { parts = [] } }: RunResult, canvas: Canvas): string[] {
  const firstMs = Math.min(...parts.map(({ startedAt }) => Date.parse(startedAt)))
  return parts.flatMap(part => entry(`slice ${part.slice}`, figures(part, firstMs), canvas))
}

function figures(part: PartFigures, firstMs: number): string {
  const { file, connections, achievedPerSecond, p99Us, cpuShare, startErrorMs } = part
  const began =
    startErrorMs === null
      ? `began ${formatDuration(Date.parse(part.startedAt) - firstMs)} after the first`
      : `began ${formatDuration(startErrorMs)} late`
  const parts = [
    plural(connections, 'connection'),
    achievedPerSecond !== null && formatRate(achievedPerSecond),
    p99Us !== null && `p99 ${micros(p99Us)}`,
    cpuShare !== null && `busy for ${Math.round(cpuShare * 100)} % of the time`,
    began,
    !part.valid && 'NOT VALID',
  ]
  const text = parts.filter(each => each !== false).join(', ')
  return file === undefined ? text : `${file}: ${text}`
}
