/** What a result should say, worked out from what a witness saw: as docs/figures.md defines it. */
import type { Exchange } from './wire.ts'

export interface Load {
  connections: number
  /** Undefined in a closed loop. */
  ratePerSecond?: number
  arrivals?: 'even' | 'poisson'
  warmupMs: number
  durationMs: number
}

export interface Figures {
  planned: number
  sent: number
  received: number
  achievedPerSecond: number
  sentPerSecond: number
  /** In microseconds, ascending; from the planned instants, and from the sends. */
  responseUs: number[]
  serviceUs: number[]
}

interface Placed extends Exchange {
  plannedMs: number
  measured: boolean
}

/** @param exchanges of all connections, each in its order of sending */
export function figuresOf(exchanges: readonly Exchange[], load: Load): Figures {
  const { ratePerSecond, durationMs } = load
  const isEven = ratePerSecond !== undefined && load.arrivals !== 'poisson'
  const placed = ratePerSecond === undefined ? byClock(exchanges, load) : byPlan(exchanges, load)
  const measured = placed.filter(({ measured }) => measured)
  const answered = measured.filter(({ cameMs }) => cameMs !== null)
  const windowMs =
    ratePerSecond === undefined ? closedFromMs(placed, load) : firstOf(placed) + load.warmupMs
  // In a closed loop the window by the clock; else what came to its messages, from the first on.
  const counted = ratePerSecond === undefined ? placed : answered
  const came = counted.map(({ cameMs }) => cameMs ?? Infinity)
  const fromMs = ratePerSecond === undefined ? windowMs : least(came)
  const within = came.filter(ms => ms >= fromMs && ms < fromMs + durationMs).length
  const inTime = measured.filter(({ sentMs }) => sentMs < windowMs + durationMs).length
  const times = (of: (each: Placed) => number) =>
    answered.map(each => (each.cameMs! - of(each)) * 1e3).toSorted((a, b) => a - b)
  return {
    planned: isEven ? Math.round((ratePerSecond * durationMs) / 1e3) : measured.length,
    sent: measured.length,
    received: answered.length,
    achievedPerSecond: (within * 1e3) / durationMs,
    sentPerSecond: (inTime * 1e3) / durationMs,
    responseUs: times(({ plannedMs }) => plannedMs),
    serviceUs: times(({ sentMs }) => sentMs),
  }
}

/** Not with spread arguments: there may be more values than a call allows. */
const least = (values: readonly number[]): number =>
  values.reduce((least, value) => Math.min(least, value), Infinity)

/** When the load began: with the first message that was planned. */
const firstOf = (placed: readonly Placed[]): number =>
  least(placed.map(({ plannedMs }) => plannedMs))

/** The first messages of a closed loop leave so late at most: their code is not compiled yet. */
const firstLateMs = 6

/**
 * When the window of a closed loop begins. Its first message leaves a little late, its last one at
 * the end, unless the server paused just then: the later of the two instants that follow.
 */
function closedFromMs(exchanges: readonly Exchange[], { warmupMs, durationMs }: Load): number {
  const sent = exchanges.map(({ sentMs }) => sentMs)
  const lastMs = sent.reduce((last, ms) => Math.max(last, ms), -Infinity)
  // The last one is within the window.
  return Math.max(lastMs - durationMs + 1e-3, least(sent) + warmupMs - firstLateMs)
}

/** What was sent in the window: in a closed loop, and where a plan of chance cannot be seen. */
function byClock(exchanges: readonly Exchange[], load: Load): Placed[] {
  const { ratePerSecond, warmupMs, durationMs } = load
  const fromMs =
    ratePerSecond === undefined
      ? closedFromMs(exchanges, load)
      : least(exchanges.map(({ sentMs }) => sentMs)) + warmupMs
  return exchanges.map(each => ({
    ...each,
    plannedMs: each.sentMs,
    measured: each.sentMs >= fromMs && each.sentMs < fromMs + durationMs,
  }))
}

/**
 * An open loop: the messages of a connection lie evenly. None goes out before its time, so the one
 * that was the least late says where the plan begins.
 */
function byPlan(exchanges: readonly Exchange[], load: Load): Placed[] {
  const { warmupMs, durationMs, connections, ratePerSecond } = load
  // The wire does not show the plan of random arrivals: such a trial must defer no message.
  if (load.arrivals === 'poisson') return byClock(exchanges, load)
  const gapMs = 1e3 / ratePerSecond!
  const ownGapMs = gapMs * connections
  const first = warmupMs / gapMs
  const each = Math.round((first + durationMs / gapMs) / connections)
  const anchors = new Map<number, number>()
  const numbers = numbersOf(exchanges, warmupMs > 0 ? each : 0, Math.round(first / connections))
  for (const [index, { connection, sentMs }] of exchanges.entries()) {
    const begunMs = sentMs - numbers[index]! * ownGapMs
    anchors.set(connection, Math.min(anchors.get(connection) ?? Infinity, begunMs))
  }
  const startMs = least([...anchors.values()])
  return exchanges.map((each, index) => {
    const plannedMs = anchors.get(each.connection)! + numbers[index]! * ownGapMs
    const place = (plannedMs - startMs) / gapMs
    const isIn = place > first - 0.5 && place < first + durationMs / gapMs - 0.5
    return { ...each, plannedMs, measured: isIn }
  })
}

/**
 * Which message of its connection each is. What of the warm-up was not sent in time is left out: so
 * the messages of the window are counted from their end.
 * @param planned so many of each connection; 0 if none is left out
 * @param warm of them in the warm-up
 */
function numbersOf(exchanges: readonly Exchange[], planned: number, warm: number): number[] {
  const counts = new Map<number, number>()
  const places = exchanges.map(({ connection }) => {
    const place = counts.get(connection) ?? 0
    counts.set(connection, place + 1)
    return place
  })
  return exchanges.map(({ connection }, index) => {
    const missing = Math.max(0, planned - counts.get(connection)!)
    // Messages of the warm-up keep their places: the missing ones are at its end.
    return places[index]! < warm - missing ? places[index]! : places[index]! + missing
  })
}

/** By the nearest rank. */
export const quantile = (ascending: readonly number[], q: number): number =>
  ascending[Math.max(1, Math.ceil(q * ascending.length - 1e-9)) - 1]!

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length
