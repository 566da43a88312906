/** On what a result and its witness agree, and by how much they differ. */
import { meanOf, quantile, type Figures } from './figures.ts'
import type { Seen, Trial } from './trial.ts'

/** Counts and rates may be off by this share, and by one message at the edges of the window. */
const share = 0.005
/** Times: by this share, or by the time between the wire and its reader. */
const timeShare = 0.05
const timeUs = 50

type NameOf<Values> = {
  [Name in keyof Figures]: Figures[Name] extends Values ? Name : never
}[keyof Figures]

// Records of all figures, so that the compiler asks for one that would not be compared.
/** The numbers of a result, and what each is. */
const numbers: Record<NameOf<number>, 'count' | 'rate'> = {
  planned: 'count',
  sent: 'count',
  received: 'count',
  achievedPerSecond: 'rate',
  sentPerSecond: 'rate',
}
/** The times, and what a result calls them. */
const distributions: Record<NameOf<number[]>, 'service' | 'response'> = {
  serviceUs: 'service',
  responseUs: 'response',
}
const namesOf = <Name extends string>(record: Record<Name, string>) => Object.keys(record) as Name[]

/** A sentence for each count or rate on which they do not agree. */
export function disagreements({ told, figures }: Seen, { load }: Trial): string[] {
  const isOpen = load.ratePerSecond !== undefined
  const found = namesOf(numbers).flatMap(name => {
    const [said, saw] = [told[name], figures[name]]
    // A plan is whole messages, whatever the machine does; unless it is one of chance.
    const isCount = numbers[name] === 'count'
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
  // The plan of random arrivals cannot be seen on the wire.
  const isSeen = (name: string) => name !== 'responseUs' || load.arrivals !== 'poisson'
  const names = namesOf(distributions).filter(isSeen)
  return names.flatMap(each => {
    const [name, seen] = [distributions[each], figures[each]]
    const times = told[name]
    const known = percentiles.filter(([of]) => times[of] !== null)
    return [
      { what: `${name} mean`, toldUs: times.mean ?? 0, seenUs: meanOf(seen) },
      ...known.map(([of, q]) => ({
        what: `${name} ${of}`,
        toldUs: times[of]!,
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
