/** How much processor time the generator had: each of its threads, and all together. */
import { formatDuration, plural } from '../vocabulary/units.ts'
import type { ThreadEffort } from '../load/stalls.ts'
import type { GeneratorFigures, ThreadFigures } from './result.ts'

/** The most stalls that are listed one by one. */
const toldMax = 32

export function generatorFigures(
  efforts: readonly ThreadEffort[],
  touched: GeneratorFigures['touched'] = {},
): GeneratorFigures {
  const threads = efforts.map(figuresOf)
  return {
    ...together(threads),
    threads,
    ...(Object.keys(touched).length > 0 && { touched }),
    own: [],
  }
}

function figuresOf({ stalls, collections, ...shares }: ThreadEffort): ThreadFigures {
  return {
    cpuShare: shares.busyShare,
    onCpuShare: shares.onCpuShare,
    queuedShare: shares.queuedShare,
    stalls: {
      count: stalls.count,
      totalMs: stalls.totalNs / 1e6,
      longest: stalls.longest.map(([startNs, lengthNs]) => [startNs / 1e9, lengthNs / 1e6]),
    },
    garbage: { collections: collections.count, totalMs: collections.totalNs / 1e6 },
  }
}

function together(threads: readonly ThreadFigures[]): ThreadFigures {
  const known = (name: 'cpuShare' | 'onCpuShare' | 'queuedShare') =>
    threads.flatMap(thread => thread[name] ?? [])
  const mean = (shares: number[]) =>
    shares.length > 0 ? sum(shares, share => share) / shares.length : null
  const cpu = known('cpuShare')
  const longest = threads
    .flatMap(({ stalls }) => stalls.longest)
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, toldMax)
  return {
    // The busiest thread is the limit.
    cpuShare: cpu.length > 0 ? Math.max(...cpu) : null,
    onCpuShare: mean(known('onCpuShare')),
    queuedShare: mean(known('queuedShare')),
    stalls: {
      count: sum(threads, ({ stalls }) => stalls.count),
      totalMs: sum(threads, ({ stalls }) => stalls.totalMs),
      longest: longest.toSorted((a, b) => a[0] - b[0]),
    },
    garbage: {
      collections: sum(threads, ({ garbage }) => garbage.collections),
      totalMs: sum(threads, ({ garbage }) => garbage.totalMs),
    },
  }
}

const sum = <T>(all: readonly T[], of: (one: T) => number): number =>
  all.reduce((total, one) => total + of(one), 0)

/** What the report says in addition to how busy it was, without what is 0 or not known. */
export function generatorParts({ queuedShare, stalls, garbage }: GeneratorFigures): string[] {
  const parts: string[] = []
  if (queuedShare === null) parts.push('how long it waited for one is not known here')
  else if (queuedShare !== undefined && queuedShare >= 0.005)
    parts.push(`waited for a processor ${Math.round(queuedShare * 100)} %`)
  if (stalls && stalls.count > 0)
    parts.push(`${plural(stalls.count, 'stall')} (${formatDuration(stalls.totalMs)})`)
  if (garbage && garbage.collections > 0) parts.push(`garbage ${formatDuration(garbage.totalMs)}`)
  return parts
}
