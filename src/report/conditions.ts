/** In what the conditions of two runs differ. */
import { formatCount, formatDuration, formatSize } from '../units.ts'
import type { RunConditions } from './result.ts'

export interface Difference {
  what: string
  baseline: string
  value: string
}

type Write = (value: unknown) => string

const ms: Write = value => (typeof value === 'number' ? formatDuration(value) : plain(value))
const perSecond: Write = value =>
  typeof value === 'number' ? `${formatCount(value)}/s` : plain(value)
const bytes: Write = value => (typeof value === 'number' ? formatSize(value) : plain(value))
const plain: Write = value => {
  if (value === undefined || value === null) return 'none'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Infinity is null in JSON. */
const unlimited = (value: unknown): boolean => value === null || value === Infinity

/** Options that change what is measured; the seed, and how long one waits at the end, do not. */
const options: Record<string, [what: string, write: Write]> = {
  connections: ['connections', plain],
  depth: ['depth', plain],
  ratePerSecond: ['rate', value => (value === undefined ? 'closed loop' : perSecond(value))],
  arrivals: ['arrivals', plain],
  durationMs: ['duration', value => (unlimited(value) ? 'no limit' : ms(value))],
  warmupMs: ['warm-up', ms],
  count: ['count', value => (unlimited(value) ? 'no limit' : plain(value))],
  churnPerSecond: ['churn', perSecond],
  idle: ['idle connections', plain],
  countCorruption: ['corruption', value => (value === true ? 'counted' : 'not counted')],
}

interface Sizes {
  minBytes: number
  maxBytes: number
  weight: number
}

/** `64`, or `16-64:1,1000:2`. */
function sizesText(sizes: unknown): string {
  if (!Array.isArray(sizes)) return plain(sizes)
  const ranges = sizes as Sizes[]
  return ranges
    .map(({ minBytes, maxBytes, weight }) => {
      const range = minBytes === maxBytes ? `${minBytes} B` : `${minBytes}-${maxBytes} B`
      return ranges.length === 1 ? range : `${range}:${weight}`
    })
    .join(',')
}

/** Everything that is to be alike, as it is written. */
function conditions(run: RunConditions): Map<string, string> {
  const { machine, versions } = run
  const found = new Map<string, string>([
    ['command', run.command],
    ['system', machine.system],
    ['processor', machine.cpu],
    ['cores', plain(machine.cores)],
    ['memory', bytes(machine.memoryBytes)],
    ['engine', run.engine],
    ['threads', plain(run.threads)],
    ['size', sizesText(run.options.sizes)],
  ])
  for (const [key, [what, write]] of Object.entries(options))
    found.set(what, write(run.options[key]))
  for (const [name, version] of Object.entries(versions)) found.set(`version of ${name}`, version)
  return found
}

export function differences(before: RunConditions, after: RunConditions): Difference[] {
  const [first, second] = [conditions(before), conditions(after)]
  const names = [...new Set([...first.keys(), ...second.keys()])]
  return names
    .map(what => ({
      what,
      baseline: first.get(what) ?? 'unknown',
      value: second.get(what) ?? 'unknown',
    }))
    .filter(({ baseline, value }) => baseline !== value)
}
