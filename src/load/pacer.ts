/** When the n-th message of an open loop is due: evenly spaced, a pure function of time. */
export interface Pacer {
  /** Messages that should have been sent once so many nanoseconds have passed. */
  due(elapsedNs: number): number
  /** The planned instant of message n (from 0), in nanoseconds after the start. */
  plannedNs(n: number): number
}

export function evenly(ratePerSecond: number): Pacer {
  const gapNs = 1e9 / ratePerSecond
  return {
    due: elapsedNs => (elapsedNs < 0 ? 0 : Math.floor(elapsedNs / gapNs) + 1),
    plannedNs: n => n * gapNs,
  }
}
