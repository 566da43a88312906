/** What rounds say of the difference between their sides: a claim, or that there is none. */
import { formatCount, plural } from '../vocabulary/units.ts'
import { claim, compareFigure, confidence, withoutFlips } from './rounds-answers.ts'
import type { FigureCompared } from './rounds-answers.ts'
import { differences } from './conditions.ts'
import { checkRounds, type CheckedCondition, type Condition } from './fail-if.ts'
import { isBroken, isValidRound, sides, spareRounds } from './rounds.ts'
import type { Round, Rounds, SideConditions } from './rounds.ts'
import { failsAnyway } from './standing.ts'

export const roundsComparisonFormat = 'yodel-compare-rounds-1'

export interface RoundsComparison {
  format: typeof roundsComparisonFormat
  /** Why there is no comparison; `compared` if there is one. */
  outcome: 'compared' | 'unlike' | 'invalid' | 'incomplete' | 'failed'
  /** Why there is no claim, a sentence each; empty if there is one. */
  noClaimBecause: string[]
  verdict: 'pass' | 'fail'
  baseline: SideConditions
  subject: SideConditions
  startedAt: string
  reproduce: string
  /** How many rounds count, and how many were left out because a run was not valid. */
  rounds: number
  leftOut: number
  orderSeed: number
  /** Whether the test went through all assignments of signs. */
  exact: boolean
  confidence: number
  margin: number
  figures: FigureCompared[]
  /** What `--fail-if` found; a condition that is `unknown` needs more rounds. */
  conditions: CheckedCondition[]
  /** Objectives that were missed, a sentence each. */
  missed: string[]
}

export function compareRounds(
  document: Rounds,
  failIf: readonly Condition[] = [],
): RoundsComparison {
  const rounds = document.rounds.filter(isValidRound)
  const [outcome, noClaimBecause] = judge(document, rounds)
  const relative = failIf.flatMap(({ check }) => ('change' in check ? [check.metric.name] : []))
  const names = [...new Set([...document.figures, ...relative])]
  const compared = names.map(name => compareFigure(name, rounds, document.orderSeed))
  const exact = compared.every(({ flips }) => flips?.exact !== false)
  if (noClaimBecause.length === 0) claim(compared, document.margin)
  const figures = compared.map(withoutFlips)
  const conditions = failIf.map(condition => {
    const judged = isOnCount(condition) ? document.rounds.filter(isJudged) : rounds
    const subjects = judged.map(({ subject }) => subject)
    return checkRounds(condition, subjects, figures)
  })
  const missed = missedIn(rounds)
  const failed =
    outcome === 'failed' || missed.length > 0 || conditions.some(({ held }) => held === 'yes')
  const { baseline, subject, orderSeed, margin } = document
  return {
    format: roundsComparisonFormat,
    outcome,
    noClaimBecause,
    verdict: failed ? 'fail' : 'pass',
    baseline,
    subject,
    startedAt: startOf(document.rounds[0]!),
    reproduce: document.reproduce,
    rounds: rounds.length,
    leftOut: document.rounds.length - rounds.length,
    orderSeed,
    exact,
    confidence,
    margin,
    figures,
    conditions,
    missed,
  }
}

/**
 * Whether a round is judged. Wrong bytes and failed connections count even if a run is not valid.
 */
const isJudged = (round: Round): boolean => isValidRound(round) || failsAnyway(round.subject)
const isOnCount = ({ check }: Condition): boolean =>
  'objective' in check && check.objective.metric.kind === 'count'

const startOf = (round: Round): string => round[round.first].run.startedAt

/** Why rounds are not compared, the gravest reason first. */
function judge(
  { rounds: all, roundsWanted, stoppedBecause }: Rounds,
  valid: Round[],
): [RoundsComparison['outcome'], string[]] {
  const unlike = unlikeIn(all)
  if (unlike.length > 0) return ['unlike', unlike]
  const broken = brokenIn(all)
  if (broken !== undefined) return ['failed', [broken]]
  const left = all.filter(round => !isValidRound(round))
  if (left.length > spareRounds(roundsWanted)) return ['invalid', [whyInvalid(left)]]
  if (valid.length >= roundsWanted) return ['compared', []]
  const why = stoppedBecause ?? 'Rounds are missing.'
  return ['incomplete', [`${why} A claim needs all ${formatCount(roundsWanted)} rounds.`]]
}

/** The conditions, other than the address, in which the runs differ. */
export function unlikeIn(rounds: readonly Round[]): string[] {
  const [first] = rounds
  const found = new Set<string>()
  for (const round of rounds)
    for (const side of sides)
      for (const { what, baseline, value } of differences(first!.baseline.run, round[side].run))
        found.add(`${what} (${baseline}, and ${value})`)
  if (found.size === 0) return []
  return [`The runs differ in more than what is measured: ${[...found].join('; ')}.`]
}

function whyInvalid(left: readonly Round[]): string {
  const reasons = left.flatMap(round => sides.flatMap(side => round[side].invalidBecause))
  const runs = `${plural(left.length, 'round')} had a run that is not valid`
  return `${runs}, so what is measured may be the generator. ${reasons[0] ?? ''}`.trim()
}

function brokenIn(rounds: readonly Round[]): string | undefined {
  for (const [index, round] of rounds.entries())
    for (const side of sides)
      if (isBroken(round, side))
        return `The ${side} failed in round ${index + 1}: ${round[side].failedBecause.join(' ')}`
  return undefined
}

function missedIn(rounds: readonly Round[]): string[] {
  const texts = rounds[0]?.baseline.expectations.map(({ objective }) => objective) ?? []
  return texts.flatMap((objective, at) =>
    sides.flatMap(side => {
      const count = rounds.filter(round => !round[side].expectations[at]?.held).length
      const of = formatCount(rounds.length)
      return count > 0 ? [`The ${side} missed ${objective} in ${count} of ${of} rounds.`] : []
    }),
  )
}
