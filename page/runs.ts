/** Bench runs: starting, ending and comparing them. */
import { signal } from '@preact/signals'
import type { BenchRun, BenchWanted } from '../src/dashboard/api.ts'
import { parseCount, parseDuration, parseRate, parseSize } from '../src/vocabulary/units.ts'
import { change, getText, messageOf, query } from './request.ts'
import { changeBench } from './state.ts'

export const problem = signal('')
/** At most two, the one that was chosen first at the beginning. */
export const chosen = signal<readonly string[]>([])
export const comparison = signal('')

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

/** A third one takes the place of the first. */
export function choose(id: string, wanted: boolean): void {
  const others = chosen.peek().filter(other => other !== id)
  chosen.value = wanted ? [...others, id].slice(-2) : others
  comparison.value = ''
}

export const compare = (): Promise<void> =>
  tried(async () => {
    const [a, b] = chosen.peek()
    comparison.value = await getText(`/api/benches/compare?${query({ a, b })}`)
  })
