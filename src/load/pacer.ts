/** When messages are due in an open loop, and on which connection: a function of time and seed. */
import { mix } from './random.ts'

export const arrivalNames = ['even', 'poisson'] as const
export type Arrivals = (typeof arrivalNames)[number]

/**
 * The plan of one thread, for its connections 0 to `connections - 1`. Instants are nanoseconds
 * after the start. Each message has its connection: one that is stuck does not hold up the others,
 * and its own messages wait for it, as those who sent them would.
 */
export interface Pacer {
  /** When the next message of all is due. */
  readonly nextNs: number
  /** Takes that message: the connection to which it belongs. */
  take(): number
  /**
   * When message `n` (from 0) of a connection is planned.
   * @param previousNs the same of its message n - 1; 0 for the first
   */
  plannedNs(connection: number, n: number, previousNs: number): number
}

export interface Pace {
  /** Over all connections of this thread. */
  ratePerSecond: number
  connections: number
  /** When the first message is due, so that several threads take turns. */
  offsetNs: number
  seed: number
}

export const createPacer = (arrivals: Arrivals, pace: Pace): Pacer =>
  arrivals === 'even' ? evenly(pace) : poisson(pace)

/** In turn to each connection, all gaps alike. */
export function evenly({ ratePerSecond, connections, offsetNs }: Pace): Pacer {
  const gapNs = 1e9 / ratePerSecond
  let taken = 0
  const pacer = {
    nextNs: offsetNs,
    take() {
      const connection = taken % connections
      taken++
      // A product, not a sum: it does not drift.
      pacer.nextNs = offsetNs + taken * gapNs
      return connection
    },
    plannedNs: (connection: number, n: number) => offsetNs + (n * connections + connection) * gapNs,
  }
  return pacer
}

/**
 * Independent users: each connection is a Poisson process of its own, so that all together are one
 * too. The connections are in a heap, that which is due next on top.
 */
export function poisson({ ratePerSecond, connections, offsetNs, seed }: Pace): Pacer {
  const meanNs = (1e9 / ratePerSecond) * connections
  const gapNs = (connection: number, n: number) => {
    const uniform = (mix(mix(mix(seed ^ 0xa441) ^ connection) ^ n) + 0.5) / 2 ** 32
    return -Math.log(uniform) * meanNs
  }
  const plannedNs = (connection: number, n: number, previousNs: number) =>
    (n === 0 ? offsetNs : previousNs) + gapNs(connection, n)
  const counts = new Float64Array(connections)
  const dueNs = Float64Array.from(counts, (_, connection) => plannedNs(connection, 0, 0))
  const heap = Array.from(dueNs, (_, connection) => connection)
  heap.sort((a, b) => dueNs[a]! - dueNs[b]!)
  const pacer = {
    nextNs: dueNs[heap[0]!]!,
    take() {
      const connection = heap[0]!
      const n = ++counts[connection]!
      dueNs[connection] = plannedNs(connection, n, dueNs[connection]!)
      sink(heap, dueNs)
      pacer.nextNs = dueNs[heap[0]!]!
      return connection
    },
    plannedNs,
  }
  return pacer
}

/** Puts the top of a heap where it belongs, after its key has grown. */
function sink(heap: number[], keys: Float64Array): void {
  const top = heap[0]!
  let place = 0
  for (;;) {
    let child = place * 2 + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && keys[heap[child + 1]!]! < keys[heap[child]!]!) child++
    if (keys[heap[child]!]! >= keys[top]!) break
    heap[place] = heap[child]!
    place = child
  }
  heap[place] = top
}
