/** On what a result and its witness agree, and by how much they differ. */
import { meanOf, quantile } from './figures.ts'
import type { Times } from './result-fields.ts'
import type { Seen, Trial } from './trial.ts'

/** Counts and rates may be off by this share, and by one message at the edges of the window. */
const share = 0.005
/** Times: by this share, or by the time between the wire and its reader. */
const timeShare = 0.05
const timeUs = 50

/** A sentence for each count or rate on which they do not agree. */
export function disagreements({ told, figures }: Seen, { load }: Trial): string[] {
  const isOpen = load.ratePerSecond !== undefined
  const names = ['planned', 'sent', 'received', 'achievedPerSecond', 'sentPerSecond'] as const
  const found = names.flatMap(name => {
    const [said, saw] = [told[name], figures[name]]
    // A plan is whole messages, whatever the machine does; unless it is one of chance.
    const isCount = !name.endsWith('PerSecond')
    const isExact = isCount && isOpen && load.arrivals !== 'poisson'
    const one = isCount ? 1 : 1e3 / load.durationMs
    const isRight = isExact
      ? said === saw
      : Math.abs(said - saw) <= Math.max(share * saw, one) + 1e-6
    return isRight ? [] : [`${name}: ${said} told, ${saw} seen`]
  })
  const { count: samples } = told.response
  if (samples !== told.received) found.push(`${samples} samples of ${told.received} messages`)
  if (told.planned !== told.received + told.missing)
    found.push(`${told.planned} planned, ${told.received} received, ${told.missing} missing`)
  if (told.verdict === 'pass' && figures.received < figures.planned)
    found.push(`passed with ${figures.received} of ${figures.planned}`)
  return found
}

export interface Difference {
  what: string
  toldUs: number
  seenUs: number
}

const percentiles = [
  ['p50', 0.5],
  ['p90', 0.9],
  ['p99', 0.99],
  ['p999', 0.999],
] as const

/** The means and the percentiles, as far as they are told. */
export function differences({ told, figures }: Seen, { load }: Trial): Difference[] {
  const pairs: [name: string, told: Times, seen: number[]][] = [
    ['service', told.service, figures.serviceUs],
  ]
  // The plan of random arrivals cannot be seen on the wire.
  if (load.arrivals !== 'poisson') pairs.push(['response', told.response, figures.responseUs])
  return pairs.flatMap(([name, times, seen]) => {
    const known = percentiles.filter(([key]) => times[key] !== null)
    return [
      { what: `${name} mean`, toldUs: times.mean ?? 0, seenUs: meanOf(seen) },
      ...known.map(([key, q]) => ({
        what: `${name} ${key}`,
        toldUs: times[key]!,
        seenUs: quantile(seen, q),
      })),
    ]
  })
}

/** @param controlUs by which the client in C that does the same differs from the wire */
export const isNear = ({ toldUs, seenUs }: Difference, controlUs = 0): boolean =>
  Math.abs(toldUs - seenUs) <= Math.max(timeUs, timeShare * seenUs) + Math.abs(controlUs)

/** The median difference of several runs in each figure that all of them tell. */
export function medianDifferences(runs: readonly Difference[][]): Difference[] {
  return runs[0]!.flatMap(({ what }) => {
    const each = runs.map(run => run.find(difference => difference.what === what))
    // What one run has too few samples for is not compared.
    if (!each.every(difference => difference !== undefined)) return []
    const seenUs = median(each.map(difference => difference.seenUs))
    return { what, seenUs, toldUs: seenUs + median(each.map(d => d.toldUs - d.seenUs)) }
  })
}

export const median = (values: number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1]!
}
