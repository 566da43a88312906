/** Bench runs: starting, ending and comparing them. */
import { computed, signal } from '@preact/signals'
import type { BenchRun, BenchWanted, RunComparison } from '../src/dashboard/api.ts'
import { parseCount, parseDuration, parseRate, parseSize } from '../src/vocabulary/units.ts'
import { change, get, messageOf, query } from './request.ts'
import { benches, changeBench } from './state.ts'

export const problem = signal('')
/** The ids of two at most, in the order in which they were chosen. */
const chosen = signal<readonly string[]>([])
/** The same in the order in which they began: what changed is what the later one has. */
export const pair = computed(() =>
  benches.value.filter(({ id }) => chosen.value.includes(id)).toReversed(),
)

/** How often each response time was measured; of the whole result the page uses no more. */
interface Times {
  histograms: { responseUs: [us: number, count: number][] }
}

export interface ComparedRuns {
  runs: readonly [before: BenchRun, after: BenchRun]
  about: RunComparison
  times: [before: Times, after: Times]
}

export const comparison = signal<ComparedRuns | null>(null)

async function tried(action: () => Promise<void>): Promise<void> {
  try {
    await action()
    problem.value = ''
  } catch (error) {
    problem.value = messageOf(error)
  }
}

/** The names of the fields of the form. */
export type Field = 'connections' | 'size' | 'rate' | 'duration'

/** What the form says; an empty field is left to the server. */
function wantedOf(address: string, fields: Record<Field, string>): BenchWanted {
  type Name = Exclude<keyof BenchWanted, 'address'>
  const given = (name: Name, text: string, parse: (text: string) => number) =>
    text.trim() === '' ? {} : { [name]: parse(text) }
  return {
    address,
    ...given('connections', fields.connections, parseCount),
    ...given('sizeBytes', fields.size, parseSize),
    ...given('ratePerSecond', fields.rate, parseRate),
    ...given('durationMs', fields.duration, parseDuration),
  }
}

export const start = (address: string, fields: Record<Field, string>): Promise<void> =>
  tried(async () => {
    const run = await change<BenchRun>('POST', '/api/benches', wantedOf(address, fields))
    changeBench(run!)
  })

export const stop = (id: string): Promise<void> =>
  tried(async () => {
    await change('DELETE', `/api/benches/${encodeURIComponent(id)}`)
  })

export const reportPath = (id: string): string => `/api/benches/${encodeURIComponent(id)}/report`

/** A third one takes the place of the one that was chosen first. */
export function choose(id: string, wanted: boolean): void {
  const others = chosen.peek().filter(other => other !== id)
  chosen.value = wanted ? [...others, id].slice(-2) : others
  comparison.value = null
}

export const compare = (): Promise<void> =>
  tried(async () => {
    const [before, after] = pair.peek()
    if (!before || !after) return
    const path = (id: string) => `/api/benches/${encodeURIComponent(id)}`
    const [about, ...times] = await Promise.all([
      get<RunComparison>(`/api/benches/compare?${query({ a: before.id, b: after.id })}`),
      get<Times>(path(before.id)),
      get<Times>(path(after.id)),
    ])
    comparison.value = { runs: [before, after], about, times }
  })
