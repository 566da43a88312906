/** What a check has found, as a verdict and its cases. */
import type { Case, Outline } from '../report/outline.ts'
import type { Standing } from '../report/standing.ts'
import { formatDuration, plural } from '../vocabulary/units.ts'
import type { CheckResult, ExpectationResult, QuestionResult, Verdict } from './result.ts'

/** `differs` is not a failure by itself: an expectation can make it one. */
const standings: Record<Verdict, Standing> = {
  ok: 'PASS',
  differs: 'PASS',
  fails: 'FAIL',
  invalid: 'INVALID',
}

export function outlineOfCheck(result: CheckResult): Outline {
  const { address, verdict, because, questions, expectations, used, seconds } = result
  const isSaid = [...questions, ...expectations].some(isMissed)
  return {
    command: 'yodel check',
    address,
    standing: standings[verdict],
    because,
    cases: [
      // If nothing came back, that is a case of its own, and not of a single question.
      given('it echoes', verdict === 'fails' && !isSaid ? 'missed' : 'held', because[0]),
      given(
        'this machine could find out',
        verdict === 'invalid' ? 'invalid' : 'held',
        because.join(' '),
      ),
      ...questions.map(caseOf),
      ...expectations.map(({ expectation, found, held }): Case => ({
        name: expectation,
        outcome: held ? 'held' : 'missed',
        said: `found ${found}`,
      })),
    ],
    figures: [
      ['verdict', verdict],
      ['took', formatDuration(seconds * 1e3)],
      ['used', plural(used.connections, 'connection')],
    ],
    notes: questions.flatMap(({ name, findings }) =>
      findings.map(({ said, where, advice }) => `${name}: ${said}. ${where} Look at: ${advice}`),
    ),
    reproduce: '',
    startedAt: result.startedAt,
    seconds,
  }
}

const isMissed = (one: QuestionResult | ExpectationResult): boolean =>
  'outcome' in one ? one.outcome === 'fails' : !one.held

/** @param why the case was missed */
const given = (name: string, outcome: Case['outcome'], why = ''): Case => ({
  name,
  outcome,
  said: outcome === 'held' ? '' : why,
})

function caseOf({ name, outcome, said, findings }: QuestionResult): Case {
  const found = findings.map(finding => finding.said)
  const all = [...new Set(found.length > 0 ? found : [said])].join('; ')
  if (outcome === 'fails') return { name, outcome: 'missed', said: all }
  if (outcome === 'not asked') return { name, outcome, said }
  if (outcome === 'differs') return { name, outcome: 'told', said: `differs: ${all}` }
  return { name, outcome: 'held', said }
}
