/** When messages are due in an open loop, and on which connection: a function of time and seed. */
import { mix } from '../vocabulary/random.ts'
import { steady, type Curve } from './curve.ts'
import { DueHeap } from './due-heap.ts'
import { ownBefore, sizeOf, type Part } from './part.ts'
import { staged, type Stage } from './stages.ts'

export const arrivalNames = ['even', 'poisson'] as const
export type Arrivals = (typeof arrivalNames)[number]

/**
 * The plan of a part of all connections, which are numbered by their place in the part. The
 * instants, in nanoseconds after the start, are those that these connections have in the whole
 * plan, however it is divided. Each message belongs to a connection. So if a connection is stuck,
 * its messages wait, as those of its user would. The other connections go on.
 */
export interface Pacer {
  /** When the next message of any connection is due. */
  readonly nextNs: number
  /** Takes the next message out of the plan; returns its connection. */
  take(): number
  /**
   * When message `n` (from 0) of a connection is planned.
   * @param previousNs when its message n - 1 is planned; 0 for the first
   */
  plannedNs(connection: number, n: number, previousNs: number): number
  /**
   * Takes the messages that are due before an instant, but not more than `most`. The cost does not
   * grow with their number.
   * @param onTaken called for each connection with the number of its messages
   */
  takeMany(
    beforeNs: number,
    most: number,
    onTaken: (connection: number, count: number) => void,
  ): void
  /**
   * The first message of a connection that is due at an instant or later; between `n` and `end`.
   */
  skip(connection: number, from: MessagePlace, end: number, untilNs: number): MessagePlace
}

/** A message of a connection, and when the one before it was planned. */
export interface MessagePlace {
  n: number
  previousNs: number
}

/** The pace of the whole load. */
export interface Pace {
  ratePerSecond: number
  /** The stages if the rate changes; the first is the warm-up. */
  stages?: Stage[] | undefined
  connections: number
  seed: number
}

export const curveOf = ({ ratePerSecond, stages }: Pace): Curve =>
  stages ? staged(stages) : steady(ratePerSecond)

export const createPacer = (arrivals: Arrivals, pace: Pace, part: Part): Pacer =>
  arrivals === 'even' ? evenly(pace, part) : poisson(pace, part)

/** The first message of all that is due at an instant or later, exactly as in the plan. */
export function firstFrom(pace: Pace, ns: number): number {
  const { atNs, until } = curveOf(pace)
  let first = Math.max(0, Math.ceil(until(ns)))
  if (first > 2 ** 52) return first
  // Because of rounding, the quotient may be off by one.
  while (first > 0 && atNs(first - 1) >= ns) first--
  while (atNs(first) < ns) first++
  return first
}

/**
 * Even arrivals: the connections take turns, so message n of connection g is message n *
 * connections + g of all.
 */
export function evenly(pace: Pace, part: Part): Pacer {
  const { connections } = pace
  const { first, step } = part
  const { atNs } = curveOf(pace)
  const own = sizeOf(part, connections)
  const numberOf = (place: number, n: number) => n * connections + first + place * step
  const dueNs = (taken: number) => atNs(numberOf(taken % own, Math.floor(taken / own)))
  let taken = 0
  const pacer = {
    nextNs: dueNs(0),
    take() {
      const place = taken % own
      taken++
      // The instant is a product, not a sum of gaps, so it does not drift.
      pacer.nextNs = dueNs(taken)
      return place
    },
    plannedNs: (place: number, n: number) => atNs(numberOf(place, n)),
    takeMany(beforeNs: number, most: number, onTaken: (place: number, count: number) => void) {
      const due = ownBefore(part, connections, firstFrom(pace, beforeNs)) - taken
      const count = Math.min(most, Math.max(0, due))
      const [each, more] = [Math.floor(count / own), count % own]
      for (let turn = 0; turn < own; turn++)
        onTaken((taken + turn) % own, turn < more ? each + 1 : each)
      taken += count
      pacer.nextNs = dueNs(taken)
    },
    skip(place: number, { n }: MessagePlace, end: number, untilNs: number): MessagePlace {
      const from = Math.ceil((firstFrom(pace, untilNs) - numberOf(place, 0)) / connections)
      return { n: Math.min(end, Math.max(n, from)), previousNs: 0 }
    },
  }
  return pacer
}

/**
 * Independent users: each connection is a Poisson process of its own, so that all together are one
 * too. If more is due than can be sent, many messages are taken at once. From there on the gaps are
 * even, since random gaps can only be counted one by one.
 */
export function poisson(pace: Pace, part: Part): Pacer {
  const { connections, seed } = pace
  const { until, afterNs } = curveOf(pace)
  const own = sizeOf(part, connections)
  /** How many messages of the whole load are due from message `n - 1` of a connection to `n`. */
  const gap = (place: number, n: number) => {
    const connection = part.first + place * part.step
    const uniform = (mix(mix(mix(seed ^ 0xa441) ^ connection) ^ n) + 0.5) / 2 ** 32
    return -Math.log(uniform) * connections
  }
  /** For each connection, the message after which all gaps are even. */
  const evenFrom = new Float64Array(own).fill(Infinity)
  const plannedNs = (connection: number, n: number, previousNs: number) =>
    n > evenFrom[connection]!
      ? afterNs(previousNs, connections)
      : afterNs(n === 0 ? 0 : previousNs, gap(connection, n))
  /**
   * How many messages of a connection are due between its next message and a later instant, if all
   * gaps are even.
   */
  const dueBefore = (fromNs: number, beforeNs: number) => {
    if (fromNs >= beforeNs) return 0
    const due = Math.max(1, Math.ceil((until(beforeNs) - until(fromNs)) / connections))
    // Because of rounding, the quotient may be off by one.
    return afterNs(fromNs, due * connections) < beforeNs ? due + 1 : due
  }
  const counts = new Float64Array(own)
  const dueNs = Float64Array.from(counts, (_, connection) => plannedNs(connection, 0, 0))
  const heap = new DueHeap(dueNs, dueNs.keys())
  const pacer = {
    nextNs: heap.firstNs,
    take() {
      const connection = heap.first!
      const n = ++counts[connection]!
      dueNs[connection] = plannedNs(connection, n, dueNs[connection]!)
      heap.delayed()
      pacer.nextNs = heap.firstNs
      return connection
    },
    plannedNs,
    takeMany(beforeNs: number, most: number, onTaken: (connection: number, count: number) => void) {
      let left = most
      for (let connection = 0; connection < own; connection++) {
        evenFrom[connection] = Math.min(evenFrom[connection]!, counts[connection]!)
        const due = dueBefore(dueNs[connection]!, beforeNs)
        const count = Math.min(left, Math.max(0, due))
        left -= count
        counts[connection]! += count
        if (count > 0) dueNs[connection] = afterNs(dueNs[connection]!, count * connections)
        onTaken(connection, count)
      }
      heap.sort()
      pacer.nextNs = heap.firstNs
    },
    skip(connection: number, from: MessagePlace, end: number, untilNs: number): MessagePlace {
      let { n, previousNs } = from
      while (n < end) {
        const next = plannedNs(connection, n, previousNs)
        if (next >= untilNs) break
        // From here on the gaps are even.
        const more = n > evenFrom[connection]! ? dueBefore(next, untilNs) - 1 : 0
        const count = Math.max(0, Math.min(more, end - n - 1))
        n += 1 + count
        previousNs = count > 0 ? afterNs(next, count * connections) : next
      }
      return { n, previousNs }
    },
  }
  return pacer
}
