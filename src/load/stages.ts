/** A rate that changes: stages, each at one rate or with a ramp from one to another. */
import { usageError } from '../vocabulary/errors.ts'
import { parseDuration, parseRate } from '../vocabulary/units.ts'
import type { Curve } from './curve.ts'

export interface Stage {
  /** The text as the user wrote it. */
  text: string
  /** The rates per second at its beginning and at its end. */
  from: number
  to: number
  ms: number
}

const rateMaxPerSecond = 1e9
const example = "Write for example '0..10k/s over 1m, 10k/s for 5m, 0 over 10s'."

/**
 * `10k/s for 5m` is one rate, `0..10k/s over 1m` a ramp, and `0 over 10s` a ramp from the rate
 * before.
 * @throws UserError if the text has none of these forms
 */
export function parseStages(text: string): Stage[] {
  const stages: Stage[] = []
  for (const part of text.split(',').map(each => each.trim())) {
    const [, rates, word, time] = /^(\S+)\s+(for|over)\s+(\S+)$/.exec(part) ?? []
    if (rates === undefined) throw usageError(`'${part}' is not a stage.`, example)
    const [first, last, ...more] = rates.split('..')
    if (more.length > 0 || (word === 'for' && last !== undefined))
      throw usageError(`'${part}' is not a stage: a ramp is A..B over a time.`, example)
    const before = stages.at(-1)?.to
    if (word === 'over' && last === undefined && before === undefined)
      throw usageError(
        `The ramp '${part}' has no rate to start from: no stage is before it.`,
        example,
      )
    const to = rateIn(part, last ?? first!)
    const from = word === 'for' ? to : last === undefined ? before! : rateIn(part, first!)
    const ms = parseDuration(time!)
    if (!(ms > 0) || ms === Infinity)
      throw usageError(`The stage '${part}' must have a time of more than 0.`, example)
    stages.push({ text: part, from, to, ms })
  }
  if (!(dueIn(stages) > 0)) throw usageError('In these stages nothing is due: all rates are 0.')
  return stages
}

interface Timed {
  stages?: string | undefined
  warmupMs: number
}

/** The stages of a load, read from their text; undefined if its rate does not change. */
export const stagesOf = ({ stages }: Pick<Timed, 'stages'>): Stage[] | undefined =>
  stages === undefined ? undefined : parseStages(stages)

/** The stages of a load with the warm-up before them. */
export function pacedStages(load: Timed): Stage[] | undefined {
  const stages = stagesOf(load)
  return stages && warmedUp(stages, load.warmupMs)
}

/** One end of a ramp, or the rate of a stage. */
function rateIn(part: string, text: string): number {
  const rate = parseRate(text)
  if (rate > rateMaxPerSecond)
    throw usageError(`The stage '${part}' has a rate of more than 1G/s.`, example)
  return rate
}

export const lengthMs = (stages: readonly Stage[]): number =>
  stages.reduce((sum, { ms }) => sum + ms, 0)

/** The integral of the rate over all stages. */
const dueIn = (stages: readonly Stage[]): number =>
  stages.reduce((sum, { from, to, ms }) => sum + ((from + to) / 2) * (ms / 1e3), 0)

/** How many messages are due in all. (The first one is due at once.) */
export const countIn = (stages: readonly Stage[]): number => Math.ceil(dueIn(stages))

export const meanRate = (stages: readonly Stage[]): number =>
  dueIn(stages) / (lengthMs(stages) / 1e3)

/** The stages with a warm-up before them, at the rate with which the first one begins. */
export const warmedUp = (stages: readonly Stage[], warmupMs: number): Stage[] => {
  const { from } = stages[0]!
  return warmupMs > 0 ? [{ text: 'warm-up', from, to: from, ms: warmupMs }, ...stages] : [...stages]
}

/** Rounds a number that differs from a whole one only by errors of rounding. */
function withoutRounding(count: number): number {
  const nearest = Math.round(count)
  return nearest > 0 && Math.abs(count - nearest) <= 1e-12 * nearest ? nearest : count
}

/**
 * The curve of stages. After the last stage nothing is due; after a pause the next message is due
 * at its end.
 */
export function staged(stages: readonly Stage[]): Curve {
  let [ns, count] = [0, 0]
  const segments = stages.map(({ from, to, ms }) => {
    // The rates per nanosecond.
    const lengthNs = ms * 1e6
    const slope = (to - from) / 1e9 / lengthNs
    const segment = { ns, count, rate: from / 1e9, slope, endCount: 0 }
    ns += lengthNs
    count += ((from + to) / 2 / 1e9) * lengthNs
    // Otherwise rounding would decide to which stage a message at its very end belongs.
    count = withoutRounding(count)
    segment.endCount = count
    return segment
  })
  const [endNs, total] = [ns, count]
  const atNs = (wanted: number) => {
    const segment = segments.find(({ endCount }) => wanted < endCount)
    if (!segment) return Infinity
    const { rate, slope } = segment
    const rest = Math.max(0, wanted - segment.count)
    const divisor = rate + Math.sqrt(Math.max(0, rate * rate + 2 * slope * rest))
    return segment.ns + (divisor === 0 ? 0 : (2 * rest) / divisor)
  }
  const until = (ns: number) => {
    if (ns >= endNs) return total
    const segment = segments.findLast(each => each.ns <= ns) ?? segments[0]!
    const after = Math.max(0, ns - segment.ns)
    return segment.count + (segment.rate + (segment.slope * after) / 2) * after
  }
  return { atNs, until, afterNs: (ns, count) => atNs(until(ns) + count) }
}
