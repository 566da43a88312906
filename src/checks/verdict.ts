/** From the answers to the verdict. */
import type { KnownPath } from './scene.ts'
import type { CheckResult, QuestionResult, Verdict } from './result.ts'

export interface Answered {
  result: QuestionResult
  /** This machine is the reason why the question has no answer. */
  own: boolean
}

export const noEcho = 'nothing that is sent comes back'

const isUneven = ({ findings }: QuestionResult): boolean =>
  findings.some(({ name }) => name === 'uneven')

/** Where connections are not alike, a question may have met a bad one by chance. */
export function doubtOthers(results: readonly QuestionResult[]): void {
  if (!results.some(isUneven)) return
  for (const finding of results.flatMap(({ findings }) => findings))
    if (finding.name !== 'uneven' && finding.side === 'unknown')
      finding.where =
        'connections are not alike on this path: perhaps this one met a bad server or link by ' +
        'chance'
}

export function verdictOf(
  answered: readonly Answered[],
  expectations: CheckResult['expectations'],
  known: KnownPath,
): { verdict: Verdict; because: string[] } {
  const results = answered.map(({ result }) => result)
  const failing = results
    .filter(({ outcome }) => outcome === 'fails')
    .toSorted((one, other) => Number(isUneven(other)) - Number(isUneven(one)))
  const differing = results.filter(({ outcome }) => outcome === 'differs')
  const missed = expectations.filter(({ held }) => !held)
  // If no question was asked, nothing is known, whatever the reason is.
  const isNoneAsked = results.every(({ outcome }) => outcome === 'not asked')
  const own = answered.flatMap(({ result, own }) =>
    (own || isNoneAsked) && result.outcome !== 'fails' ? [result] : [],
  )
  const because = [
    ...failing.map(({ name, said }) => `${name} fails: ${said}`),
    ...missed.map(({ expectation, found }) => `expected ${expectation}, found ${found}`),
    ...own.map(({ name, outcome, said }) =>
      outcome === 'not asked'
        ? `${name} could not be asked: ${said}`
        : `${name} was cut short: ${said}`,
    ),
    ...differing.map(({ name, said }) => `${name} differs: ${said}`),
  ]
  const isSilent = failing.length === 0 && !known.echoes
  if (isSilent) because.unshift(known.refusal ?? noEcho)
  const verdict: Verdict =
    isSilent || failing.length + missed.length > 0
      ? 'fails'
      : own.length > 0
        ? 'invalid'
        : differing.length > 0
          ? 'differs'
          : 'ok'
  return { verdict, because }
}
