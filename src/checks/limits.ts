/** How far a question may go, and what it may use. */

/** The most that a question may use. */
export interface Cost {
  /** Connections open at the same time. */
  readonly atOnce: number
  readonly connections: number
  /** Sent; about as much comes back. */
  readonly bytes: number
  /** How long it takes if everything that can be silent is. */
  readonly ms: number
}

/** What all questions cost together. */
export interface WholeCost extends Cost {
  /** How much of `ms` is for the silences that `idle` tries. */
  readonly silenceMs: number
}

/** How far questions go. */
export interface Limits {
  readonly thorough: boolean
  /** A reply that has not come after this long is not waited for any more. */
  readonly silenceMs: number
  /** The most that is sent at once, or in a row. */
  readonly bytes: number
  /** For how long it is sent at most, if the path is slow. */
  readonly rowMs: number
  readonly idleMs: number
  /** The most time that all questions together may take, without those that wait for silences. */
  readonly allMs: number
  readonly maxConnections: number
}
