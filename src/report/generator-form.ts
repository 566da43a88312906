/** The part of a result that is about the load generator itself. */

/** How much processor time one sending thread had, or all of them; null where it is not known. */
export interface ThreadFigures {
  /** The share of a processor that the thread used, without busy waiting. */
  cpuShare: number | null
  /** The shares of its time on a processor (with busy waiting), and in the queue for one. */
  onCpuShare: number | null
  queuedShare: number | null
  /** When it was held up: seconds after the beginning of the window, and how long. */
  stalls: { count: number; totalMs: number; longest: [second: number, ms: number][] }
  garbage: { collections: number; totalMs: number }
}

/** Samples that a stall touched: as they were measured, and without it. */
export interface TouchedSamples {
  measured: [us: number, count: number][]
  less: [us: number, count: number][]
}

/** The distributions for which these samples are known. */
export type TouchedName = 'responseUs' | 'serviceUs' | 'connectUs' | 'churnUs'

/** A figure that is partly the generator's: the true value lies between these two. */
export interface OwnFigure {
  /** As an objective names it. */
  figure: string
  measured: number
  bound: number
}

/** The figures of the load generator itself; older files have only the first. */
export interface GeneratorFigures extends Partial<Omit<ThreadFigures, 'cpuShare'>> {
  /** The share of the busiest thread; the shares that follow are means over all threads. */
  cpuShare: number | null
  threads?: ThreadFigures[]
  touched?: Partial<Record<TouchedName, TouchedSamples>>
  own?: OwnFigure[]
  /** The generator was the limit: the server may do more. */
  limited?: true
}
