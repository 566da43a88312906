/** Which messages a count means: the first of the whole plan, however it is divided into parts. */
import { createPacer, curveOf, firstFrom, type Arrivals, type Pace } from './pacer.ts'
import { ownBefore, sizeOf, whole, type Part } from './part.ts'

export interface CountedMessages {
  /**
   * When the first message is due, and the first one after the count, in nanoseconds of the plan.
   */
  fromNs: number
  untilNs: number
  /** How many of the messages belong to a part. */
  readonly of: (part: Part) => number
}

/** The first `count` messages after the warm-up. */
export const counted = (
  arrivals: Arrivals,
  pace: Pace,
  warmupMs: number,
  count: number,
): CountedMessages => {
  const warmupNs = warmupMs * 1e6
  return arrivals === 'even'
    ? evenlyCounted(pace, warmupNs, count)
    : poissonCounted(pace, warmupNs, count)
}

/**
 * The share of a part in a closed loop: without a plan, each connection has its share of the count.
 */
export const shareOf = (part: Part, connections: number, count: number): number =>
  ownBefore(part, connections, count)

function evenlyCounted(pace: Pace, warmupNs: number, count: number): CountedMessages {
  const { atNs } = curveOf(pace)
  const first = firstFrom(pace, warmupNs)
  const before = (part: Part, number: number) => ownBefore(part, pace.connections, number)
  return {
    fromNs: atNs(first),
    untilNs: atNs(first + count),
    of: part => before(part, first + count) - before(part, first),
  }
}

/**
 * The end is first searched within this many standard deviations of the mean, then further away.
 */
const spreadFirst = 8

/**
 * Finds out when the count is reached. With random arrivals this is known only from the messages of
 * each connection.
 */
function poissonCounted(pace: Pace, warmupNs: number, count: number): CountedMessages {
  const { connections } = pace
  const { afterNs } = curveOf(pace)
  const plan = createPacer('poisson', pace, whole)
  for (let spread = spreadFirst; ; spread *= 2) {
    const deviation = spread * (Math.sqrt(count) + 1)
    const surelyNs = afterNs(warmupNs, Math.max(0, count - deviation))
    const mostNs = afterNs(warmupNs, count + deviation)
    const counts = new Float64Array(connections)
    const late: { dueNs: number; connection: number }[] = []
    let fromNs = Infinity
    let sum = 0
    for (let connection = 0; connection < connections; connection++) {
      let dueNs = 0
      for (let n = 0; (dueNs = plan.plannedNs(connection, n, dueNs)) < mostNs; n++) {
        if (dueNs < warmupNs) continue
        fromNs = Math.min(fromNs, dueNs)
        if (dueNs >= surelyNs) late.push({ dueNs, connection })
        else counts[connection]!++
      }
      sum += counts[connection]!
    }
    const rest = count - sum
    if (rest < 0 || late.length <= rest) continue
    late.sort((a, b) => a.dueNs - b.dueNs)
    for (const { connection } of late.slice(0, rest)) counts[connection]!++
    const untilNs = late[rest]!.dueNs
    const of = (part: Part) => {
      let own = 0
      for (let place = 0; place < sizeOf(part, connections); place++)
        own += counts[part.first + place * part.step]!
      return own
    }
    return { fromNs, untilNs, of }
  }
}
