/** How far a question may go, and what it may use. */

/** The most that a question may use. */
export interface Cost {
  /** Connections open at the same time. */
  readonly atOnce: number
  readonly connections: number
  /** Bytes that are sent; about as many come back. */
  readonly bytes: number
  /** The question ends after this time, whatever the other end does. */
  readonly ms: number
}

/** What all questions cost together. */
export interface WholeCost extends Cost {
  /** How much of `ms` is for the silences that `idle` tries. */
  readonly silenceMs: number
  /** The most that a question other than `idle` takes, where round trips are short. */
  readonly questionMs: number
}

/** How far questions go. */
export interface Limits {
  readonly thorough: boolean
  /** A reply that has not come after this long is not waited for any more. */
  readonly silenceMs: number
  /** The most bytes that are sent without a pause. */
  readonly bytes: number
  /** For how long these bytes are sent at most, if the path is slow. */
  readonly rowMs: number
  readonly idleMs: number
  /** The most time that all questions together may take, without those that wait for silences. */
  readonly allMs: number
  readonly maxConnections: number
}

/**
 * A reply that has not come after this time plus four round trips counts as missing.
 */
const silenceMs = 1_000
/** How many bytes a question sends without a pause, unless it is thorough. */
const rowBytes = 2 ** 20
/** For how long it sends them at most, if the path is slow. */
const [rowMs, thoroughMs] = [2_000, 60_000]
/** The time limit of all questions together, except those that wait for silences. */
const allMs = 28_000

export const checkLimits = (thorough: boolean, idleMs: number, maxConnections: number): Limits => ({
  thorough,
  silenceMs,
  bytes: rowBytes,
  rowMs: thorough ? thoroughMs : rowMs,
  idleMs,
  allMs: thorough ? Infinity : allMs,
  maxConnections,
})
