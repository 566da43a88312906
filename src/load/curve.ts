/** How many messages are due until an instant: the integral of the rate, and its inverse. */

/** Instants are nanoseconds after the start. Neither is a sum, so neither drifts. */
export interface Curve {
  /** When the message with this number is due, counted from 0. */
  readonly atNs: (count: number) => number
  /** How many are due until then, with the part of the next one. */
  readonly until: (ns: number) => number
  /** When `count` more are due than at that instant. */
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
