/** The search for the highest rate that holds, without the probes themselves. */

export interface SearchLimits {
  /** The rate to begin with. */
  first: number
  /** The lowest and the highest rate to try. */
  slowest: number
  fastest: number
  /**
   * At the end the highest rate that held and the lowest that failed differ by at most this
   * fraction.
   */
  precision: number
  /** A failure at this rate or below it may be noise, so such a probe is repeated once. */
  plausible: number
}

/** What a probe found; `limited`: it failed because of the generator. Undefined ends the search. */
export type ProbeOutcome = 'held' | 'failed' | 'limited' | undefined

export interface SearchResult {
  /** The highest rate that held; 0 if none did. */
  held: number
  /** The lowest rate above it that failed; Infinity if none did. */
  failed: number
  /** Whether the generator was too slow in all tries at that rate. */
  limited: boolean
}

/**
 * The factor by which the rate grows or falls, until one rate has held and a higher one has failed.
 */
const growth = 2

export async function searchHighest(
  probe: (rate: number) => Promise<ProbeOutcome>,
  { first, slowest, fastest, precision, plausible }: SearchLimits,
): Promise<SearchResult> {
  const found: SearchResult = { held: 0, failed: Infinity, limited: false }
  /** Probes a rate. Returns false if the search is to end. */
  const decide = async (rate: number): Promise<boolean> => {
    const outcomes: ProbeOutcome[] = []
    while (outcomes.length < (rate <= plausible ? 2 : 1)) {
      const outcome = await probe(rate)
      if (outcome === undefined) return false
      outcomes.push(outcome)
      if (outcome === 'held') {
        found.held = rate
        return true
      }
    }
    found.failed = rate
    found.limited = outcomes.every(outcome => outcome === 'limited')
    return true
  }
  let rate = rounded(first)
  while (await decide(rate)) {
    const between = found.held > 0 && found.failed < Infinity
    if (between && found.failed / found.held <= 1 + precision) break
    if (between) rate = rounded(Math.sqrt(found.held * found.failed))
    else rate = rounded(found.held > 0 ? rate * growth : rate / growth)
    if (rate < slowest || rate > fastest) break
  }
  return found
}

/** A rate, rounded so that it can be read. The error is far smaller than any `precision`. */
const rounded = (rate: number): number => Number(rate.toPrecision(rate >= 1e4 ? 5 : 4))
