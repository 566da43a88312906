/** How many messages are due until an instant: the integral of the rate, and its inverse. */

/** Instants are nanoseconds after the start. They are not sums of gaps, so they do not drift. */
export interface Curve {
  /** When the message with this number is due, counted from 0. */
  readonly atNs: (count: number) => number
  /**
   * How many messages are due until an instant. The fraction says how much of the gap to the next
   * one has passed.
   */
  readonly until: (ns: number) => number
  /** When `count` more messages are due than at the instant `ns`. */
  readonly afterNs: (ns: number, count: number) => number
}

export const steady = (ratePerSecond: number): Curve => {
  const gapNs = 1e9 / ratePerSecond
  return {
    atNs: count => count * gapNs,
    until: ns => ns / gapNs,
    afterNs: (ns, count) => ns + count * gapNs,
  }
}
