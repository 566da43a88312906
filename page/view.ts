/** What the page shows: which listener, and how much time. Every section follows it. */
import { computed, signal } from '@preact/signals'
import type { Figures } from '../src/dashboard/api.ts'
import { listenerOf, seconds } from './state.ts'

/** With the parts into which the timeline divides them. */
export const spans = [
  { name: '20 s', ms: 20_000, parts: 4 },
  { name: '1 min', ms: 60_000, parts: 6 },
  { name: '5 min', ms: 300_000, parts: 5 },
  { name: '15 min', ms: 900_000, parts: 5 },
]

export const span = signal(spans[1]!)

/** The index of a listener; null: all of them. */
export const shown = signal<number | null>(null)
export const isShown = (listener: number): boolean =>
  shown.value === null || shown.value === listener
/** ` at tcp://…`, if only one of several is shown. */
export const whereText = (): string =>
  shown.value === null ? '' : ` at ${listenerOf(shown.value)?.url ?? ''}`

export interface At extends Figures {
  at: number
}

/** What is shown of each second within the range, oldest first. */
export const figures = computed((): readonly At[] => {
  const all = seconds.value
  const since = (all.at(-1)?.at ?? 0) - span.value.ms
  const within = all.slice(all.findIndex(({ at }) => at > since))
  const index = shown.value
  if (index === null) return within
  return within.flatMap(({ at, listeners }) => {
    const its = listeners[index]
    return its ? [{ at, ...its }] : []
  })
})
