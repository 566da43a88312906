/** The answer of rounds for each figure: better, worse, no difference, or cannot tell. */
import { parseMetric, unknown, type FigureKind, type Metric } from './objective.ts'
import { fewestPairs, holm, intervalOf, pairsNeeded, pValue } from './randomization.ts'
import { signFlips, spreadOf, type SignFlips, type Tested } from './randomization.ts'
import { sides, type Round, type Side } from './rounds.ts'

/** The least share of comparisons in which all claims are right. */
export const confidence = 0.95

export interface FigureCompared {
  /** The name of the figure, as in objectives. */
  metric: string
  kind: FigureKind
  /** The geometric means over the rounds; null where the figure is not known. */
  baseline: number | null
  value: number | null
  /** The change as a fraction of the baseline. */
  change: number | null
  /** The interval that contains the change with at least 95 % certainty; null without a claim. */
  interval: [low: number, high: number] | null
  /** The answer; null if nothing can be claimed. */
  answer: 'better' | 'worse' | 'no difference' | 'cannot tell' | null
  /** About how many more rounds would decide it; null unless the answer is `cannot tell`. */
  moreRounds: number | null
  /** The spread of the change from round to round: a standard deviation of its logarithm. */
  spread: number | null
  p: number | null
  /** Why the figure is not known; null if it is. */
  unknownBecause: string | null
}

/** A compared figure, with the data that the test needs. */
export type Compared = FigureCompared & { flips: SignFlips | undefined }

export function withoutFlips(compared: Compared): FigureCompared {
  const { flips: _flips, ...figure } = compared
  return figure
}

/** The difference of a figure over rounds, without a claim. */
export function compareFigure(name: string, rounds: readonly Round[], seed: number): Compared {
  const metric = parseMetric(name)
  const values = (side: Side) => rounds.map(round => metric.of(round[side]))
  const compared = compareValues(metric, values('baseline'), values('subject'), seed)
  const why = compared.flips === undefined ? whyUnknown(rounds, name) : null
  return { ...compared, unknownBecause: why }
}

/** Compares the values of each round. */
export function compareValues(
  { name, kind }: Pick<Metric, 'name' | 'kind'>,
  before: readonly (number | null)[],
  after: readonly (number | null)[],
  seed: number,
): Compared {
  const nothing = { interval: null, answer: null, moreRounds: null, spread: null, p: null }
  const figure = { metric: name, kind, ...nothing, unknownBecause: null }
  const isKnown = (list: readonly (number | null)[]): list is number[] =>
    list.length > 0 && list.every(value => value !== null && value > 0)
  if (!isKnown(before) || !isKnown(after))
    return { ...figure, baseline: null, value: null, change: null, flips: undefined }
  const flips = signFlips(
    after.map((value, index) => Math.log(value / before[index]!)),
    seed,
  )
  return {
    ...figure,
    baseline: geometricMean(before),
    value: geometricMean(after),
    change: Math.expm1(flips.mean),
    spread: after.length > 1 ? spreadOf(flips.differences) : null,
    flips,
  }
}

const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)

function whyUnknown(rounds: readonly Round[], name: string): string {
  if (rounds.length === 0) return 'not known: no round is valid'
  const metric = parseMetric(name)
  const runs = rounds.flatMap(round => sides.map(side => round[side]))
  const missing = runs.find(run => metric.of(run) === null)
  return missing ? unknown(metric, missing) : 'not known: it was 0 in a run, so there is no ratio'
}

/** The answers for all figures together. A figure that is not known for one side has no answer. */
export function claim(compared: readonly Compared[], margin: number): void {
  const tested = compared.filter(({ flips }) => flips !== undefined)
  const ps = tested.map(({ flips }) => pValue(flips!))
  for (const [index, test] of holm(ps, 1 - confidence).entries())
    answer(tested[index]!, ps[index]!, test, margin)
}

function answer(compared: Compared, p: number, { level, rejected }: Tested, margin: number) {
  const flips = compared.flips!
  const interval = intervalOf(flips, level)
  compared.p = p
  compared.interval = interval && [Math.expm1(interval[0]), Math.expm1(interval[1])]
  if (rejected) {
    compared.answer = flips.mean > 0 === (compared.kind === 'rate') ? 'better' : 'worse'
    return
  }
  if (compared.interval?.every(end => Math.abs(end) <= margin)) {
    compared.answer = 'no difference'
    return
  }
  compared.answer = 'cannot tell'
  compared.moreRounds = moreRounds(compared, level, margin)
}

/**
 * Rounds until the interval excludes 0, or all that is beyond the margin: whichever takes fewer.
 */
function moreRounds({ flips, spread }: Compared, level: number, margin: number): number {
  const { mean, differences } = flips!
  const distance = Math.max(Math.abs(mean), Math.log1p(margin) - Math.abs(mean))
  const needed = spread === null ? fewestPairs(level) : pairsNeeded(spread, distance, level)
  return Math.max(1, needed - differences.length)
}
