/**
 * Records the outages of connections that are opened again (`--reconnect`). An outage begins when a
 * connection breaks, and ends with the first echo on a new connection. An open connection alone
 * does not end an outage: a proxy may accept for a server that is gone.
 *
 *   break            open again, or broken again        the first echo
 *     ├─ dials that fail ─┼─────── firstEcho ────────────────┤
 */
import { counter, counterNames, type FailureName, type Meter } from '../metrics/meter.ts'
import { nowNs } from '../vocabulary/clock.ts'

/** How many failures there were of each class. */
export type Classes = Partial<Record<FailureName, number>>

/** An outage of one connection, or several that overlap. */
export interface Outage {
  beginNs: number
  /** When the last of the connections was open again; Infinity if one was not. */
  openNs: number
  /** When the last of the connections had an echo again; Infinity if one had none. */
  endNs: number
  /** The most connections that were without an echo at the same time. */
  connections: number
  /** Why connections broke: the first time, and each time before they had an echo again. */
  breaks: Classes
  /** Why dials failed. */
  failedDials: Classes
  /** Messages of the window: unanswered or waiting at the break, or due before the reopening. */
  lost: number
  /** The longest that a first message took, from its planned instant. */
  firstEchoNs: number
}

const none: Omit<Outage, 'beginNs'> = {
  openNs: Infinity,
  endNs: Infinity,
  connections: 1,
  breaks: {},
  failedDials: {},
  lost: 0,
  firstEchoNs: 0,
}

/** Failures after which a connection is not opened again: wrong bytes, or a fault of this side. */
const final = new Set<FailureName>(['wrongBytes', 'protocol', 'noDescriptors', 'unanswered'])
/** The most outages that are kept one by one; older ones are joined to this many. */
const keptMax = 8_192
const keptRowsMax = 1_024

/** The outages of one thread. */
export class Outages {
  readonly #meter: Meter
  readonly #underWay = new Set<Outage>()
  #ended: Outage[] = []

  constructor(meter: Meter) {
    this.#meter = meter
  }

  /**
   * A connection has broken. Returns its outage; undefined if it is not opened again.
   * @param during the outage, if the connection broke again before its first echo
   * @param reason the counter of the failure
   */
  broken(reason: number, during?: Outage): Outage | undefined {
    const name = counterNames[reason] as FailureName
    if (final.has(name)) return undefined
    const outage = during ?? this.#begin()
    outage.openNs = Infinity
    count(outage.breaks, name)
    return outage
  }

  #begin(): Outage {
    const outage: Outage = { ...none, beginNs: nowNs(), breaks: {}, failedDials: {} }
    this.#underWay.add(outage)
    this.#meter.counters[counter.outagesBegun]!++
    return outage
  }

  dialFailed(outage: Outage, name: FailureName): void {
    count(outage.failedDials, name)
  }

  opened(outage: Outage, now: number): void {
    outage.openNs = now
    this.#meter.counters[counter.reopened]!++
  }

  /** Ends an outage: the first echo has come. */
  end(outage: Outage, now: number, firstEchoNs: number): void {
    outage.endNs = now
    outage.firstEchoNs = firstEchoNs
    this.#underWay.delete(outage)
    this.#ended.push(outage)
    this.#meter.counters[counter.outagesEnded]!++
    if (this.#ended.length >= keptMax) this.#ended = atMost(keptRowsMax, overlapping(this.#ended))
  }

  /** All outages, in nanoseconds after an instant. */
  since(fromNs: number): Outage[] {
    return [...this.#ended, ...this.#underWay].map(outage => shifted(outage, -fromNs))
  }
}

/** How many dials have led to no echo, without the current one. */
export const triesOf = ({ breaks, failedDials }: Outage): number =>
  sumOfClasses(breaks) + sumOfClasses(failedDials) - 1

export const sumOfClasses = (classes: Classes): number =>
  Object.values(classes).reduce((sum, n) => sum + n, 0)

export const shifted = (outage: Outage, ns: number): Outage => ({
  ...outage,
  beginNs: outage.beginNs + ns,
  openNs: outage.openNs + ns,
  endNs: outage.endNs + ns,
})

/** Joins outages that overlap. The result is in the order of time. */
export function overlapping(outages: readonly Outage[]): Outage[] {
  const groups: Outage[][] = []
  let untilNs = -Infinity
  for (const outage of outages.toSorted((a, b) => a.beginNs - b.beginNs)) {
    if (outage.beginNs <= untilNs) groups.at(-1)!.push(outage)
    else groups.push([outage])
    untilNs = Math.max(untilNs, outage.endNs)
  }
  return groups.map(group => joined(group, mostAtOnce(group)))
}

/** If there are too many rows, those with the least time between them are joined. */
export function atMost(most: number, rows: readonly Outage[]): Outage[] {
  if (rows.length <= most) return [...rows]
  const gapBefore = (at: number) => rows[at]!.beginNs - rows[at - 1]!.endNs
  const places = rows.map((_, at) => at).slice(1)
  const apart = new Set(places.toSorted((a, b) => gapBefore(b) - gapBefore(a)).slice(0, most - 1))
  const groups: Outage[][] = []
  for (const [at, row] of rows.entries()) {
    if (at === 0 || apart.has(at)) groups.push([row])
    else groups.at(-1)!.push(row)
  }
  return groups.map(group => joined(group, Math.max(...group.map(each => each.connections))))
}

/**
 * The most connections that were down at the same time. An outage that ends when another begins
 * does not overlap it.
 */
function mostAtOnce(outages: readonly Outage[]): number {
  const changes = outages.flatMap(({ beginNs, endNs, connections }) => [
    { atNs: beginNs, by: connections },
    { atNs: endNs, by: -connections },
  ])
  let [out, most] = [0, 0]
  for (const { by } of changes.toSorted((a, b) => a.atNs - b.atNs || a.by - b.by)) {
    out += by
    most = Math.max(most, out)
  }
  return most
}

function joined(group: readonly Outage[], connections: number): Outage {
  const classes = (of: (outage: Outage) => Classes) => {
    const all: Classes = {}
    for (const outage of group)
      for (const [name, n] of Object.entries(of(outage))) count(all, name as FailureName, n)
    return all
  }
  return {
    beginNs: Math.min(...group.map(outage => outage.beginNs)),
    openNs: Math.max(...group.map(outage => outage.openNs)),
    endNs: Math.max(...group.map(outage => outage.endNs)),
    connections,
    breaks: classes(outage => outage.breaks),
    failedDials: classes(outage => outage.failedDials),
    lost: group.reduce((sum, { lost }) => sum + lost, 0),
    firstEchoNs: Math.max(...group.map(outage => outage.firstEchoNs)),
  }
}

function count(classes: Classes, name: FailureName, n = 1): void {
  classes[name] = (classes[name] ?? 0) + n
}
