/** The head of a report: what was sent, and to which address. */
import type { SizeRange } from '../load/sizes.ts'
import { formatCount, formatDuration, formatRate, formatSize, plural } from '../vocabulary/units.ts'
import type { Canvas } from './bars.ts'
import { flow, shown } from './lines.ts'
import type { RunResult } from './result.ts'

/** The options that a report names; a result that was read from a file may lack some. */
interface Named {
  connections?: number | null
  depth?: number | null
  sizes?: SizeRange[] | null
  ratePerSecond?: number | null
  arrivals?: string | null
  idle?: number | null
  churnPerSecond?: number | null
}

const optionsOf = (result: RunResult): Named => result.run.options

/** In a closed loop there is no plan, so the response time is that of the service. */
export const isOpenLoop = (result: RunResult): boolean =>
  typeof optionsOf(result).ratePerSecond === 'number'

/** The head on one line if it fits; else a title, and the lines below it. */
export function headLines(result: RunResult, canvas: Canvas): { title: string[]; parts: string[] } {
  const { command, address } = result.run
  const parts = partsOf(result)
  const title = shown(`yodel ${command} ${address}`, canvas)
  const oneLine = `${title}  ${parts.join(', ')}`
  if (oneLine.length <= canvas.columns) return { title: [oneLine], parts: [] }
  const below = flow(parts, canvas.columns - 2, canvas).map(line => `  ${line}`)
  return { title: [title], parts: below }
}

function partsOf(result: RunResult): string[] {
  const { depth, sizes, ratePerSecond, arrivals, idle, churnPerSecond } = optionsOf(result)
  const { connections = optionsOf(result).connections } = result.part ?? {}
  const { engine, threads } = result.run
  const parts: string[] = []
  if (result.part) parts.push(`slice ${result.part.slice} of ${result.part.of}`)
  if (typeof connections === 'number') parts.push(plural(connections, 'connection'))
  if (depth && depth > 1) parts.push(`${formatCount(depth)} in flight each`)
  if (idle) parts.push(`${formatCount(idle)} idle`)
  if (result.stages) parts.push(plural(result.stages.length, 'stage'))
  else if (ratePerSecond)
    parts.push(`${formatRate(ratePerSecond)} planned${arrivals === 'poisson' ? ' at random' : ''}`)
  if (churnPerSecond) parts.push(`${formatRate(churnPerSecond)} short connections`)
  parts.push(formatDuration(result.seconds * 1e3))
  if (sizes && sizes.length > 0) parts.push(sizesText(sizes))
  if (threads > 1) parts.push(plural(threads, 'thread'))
  parts.push(`engine ${engine}`)
  return parts
}

function sizesText(sizes: SizeRange[]): string {
  const range = ({ minBytes, maxBytes }: Pick<SizeRange, 'minBytes' | 'maxBytes'>) =>
    minBytes === maxBytes
      ? formatSize(minBytes)
      : `${formatSize(minBytes)} to ${formatSize(maxBytes)}`
  if (sizes.length === 1) return `${range(sizes[0]!)} messages`
  const total = sizes.reduce((sum, { weight }) => sum + weight, 0)
  if (sizes.length <= 3) {
    const share = (size: SizeRange) => `${Math.round((size.weight / total) * 100)} % ${range(size)}`
    return `messages of ${sizes.map(share).join(' + ')}`
  }
  const minBytes = Math.min(...sizes.map(size => size.minBytes))
  const maxBytes = Math.max(...sizes.map(size => size.maxBytes))
  return `messages of ${sizes.length} sizes from ${range({ minBytes, maxBytes })}`
}
