/** The stages of a load whose rate changes, a line each. */
import { formatCount, formatRate } from '../vocabulary/units.ts'
import type { Canvas } from './bars.ts'
import { micros } from './ladder.ts'
import { entry } from './lines.ts'
import type { RunResult, StageFigures } from './result.ts'

export const stageLines = ({ stages = [] }: RunResult, canvas: Canvas): string[] =>
  stages.flatMap((stage, n) => entry(`stage ${n + 1}`, figures(stage), canvas))

function figures({ stage, planned, received, ratePerSecond, responseUs, ...rest }: StageFigures) {
  const parts = [
    `${stage}: ${formatCount(planned)} planned`,
    `${formatCount(received)} back (${formatRate(ratePerSecond)})`,
  ]
  for (const name of ['p50', 'p99'] as const) {
    const us = responseUs[name]
    if (us !== null) parts.push(`${name} ${micros(us)}`)
  }
  if (rest.errors > 0) parts.push(`${formatCount(rest.errors)} errors`)
  for (const { objective, measuredText } of rest.missed)
    parts.push(`MISSED ${objective} (${measuredText})`)
  return parts.join(', ')
}
