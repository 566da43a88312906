/** What rounds say, as a verdict and its cases. */
import { plural } from '../vocabulary/units.ts'
import { compareRounds } from './compare-rounds.ts'
import { answerText, figureCells } from './compare-rounds-text.ts'
import type { CheckedCondition, Condition } from './fail-if.ts'
import type { Case, Outline } from './outline.ts'
import { sides, type Rounds } from './rounds.ts'
import { comparisonStanding } from './standing.ts'

/** A difference is neither right nor wrong: what may fail is a condition, or a run. */
export function outlineOfRounds(document: Rounds, failIf: readonly Condition[] = []): Outline {
  const comparison = compareRounds(document, failIf)
  const { outcome, noClaimBecause, figures, conditions, missed, baseline, subject } = comparison
  const isCompared = outcome === 'compared'
  const runs = document.rounds.flatMap(round => sides.map(side => round[side]))
  return {
    command: 'yodel bench',
    address: `${subject.address} against ${baseline.address}`,
    standing: comparisonStanding(comparison),
    because: [...noClaimBecause, ...missed, ...conditions.filter(isHeld).map(sentenceOf)],
    cases: [
      {
        name: 'the rounds can be compared',
        outcome: isCompared ? 'held' : outcome === 'failed' ? 'missed' : 'invalid',
        said: noClaimBecause.join(' '),
      },
      ...figures.map((figure): Case => ({
        name: figure.metric,
        outcome: isCompared ? 'told' : 'not asked',
        said: isCompared ? answerText(figure).slice(`${figure.metric}: `.length) : 'no claim',
      })),
      ...(missed.length > 0
        ? [{ name: 'the objectives', outcome: 'missed', said: missed.join(' ') } as const]
        : []),
      ...conditions.map(conditionCase),
    ],
    figures: [
      ['rounds', String(comparison.rounds)],
      ['left out', plural(comparison.leftOut, 'round')],
      ...figures.map((figure): [string, string] => {
        const { baseline: before, value, change } = figureCells(figure)
        return [figure.metric, `${before} to ${value} ${change && `(${change})`}`.trimEnd()]
      }),
    ],
    notes: [],
    reproduce: document.reproduce,
    startedAt: comparison.startedAt,
    seconds: runs.reduce((sum, { seconds }) => sum + seconds, 0),
  }
}

const isHeld = ({ held }: CheckedCondition): boolean => held === 'yes'
const sentenceOf = ({ condition, measured }: CheckedCondition): string =>
  `It fails if ${condition}: ${measured}.`

/** A condition describes a failure: if it holds, the case has failed. */
const conditionCase = ({ condition, held, measured }: CheckedCondition): Case => ({
  name: `not ${condition}`,
  outcome: held === 'yes' ? 'missed' : held === 'no' ? 'held' : 'not asked',
  said: held === 'unknown' ? `neither shown nor ruled out: ${measured}` : measured,
})
