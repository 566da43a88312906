/**
 * The difference between single runs: the first is the baseline of the others. There is no claim:
 * how much runs differ by chance shows only in several runs that are measured in turn.
 */
import { differences } from './conditions.ts'
import { checkRun, type CheckedCondition, type Condition } from './fail-if.ts'
import { parseMetric, type FigureKind } from './objective.ts'
import type { RunResult } from './result.ts'
import { failsAnyway } from './standing.ts'

export const compareFormat = 'yodel-compare-2'

export interface Change {
  /** The name of the figure, as in objectives. */
  metric: string
  kind: FigureKind
  baseline: number | null
  value: number | null
  /** As a fraction of the baseline; null where that is 0 or unknown. */
  change: number | null
}

export interface ComparedRun {
  name: string
  startedAt: string
  seconds: number
  valid: boolean
  verdict: 'pass' | 'fail'
}

export interface ComparedWith extends ComparedRun {
  changes: Change[]
}

/** A condition of `--fail-if` that holds. */
export interface FailedCondition extends Pick<CheckedCondition, 'condition' | 'measured'> {
  name: string
}

export interface RunComparison {
  format: typeof compareFormat
  /** Whether they can be compared at all; `failed` if the verdict of one is FAIL. */
  outcome: 'compared' | 'unlike' | 'invalid' | 'failed'
  verdict: 'pass' | 'fail'
  /** Why it is not known whether the difference is chance. */
  noClaimBecause: string
  /** What makes the runs hard to compare, a sentence each. */
  warnings: string[]
  baseline: ComparedRun
  others: ComparedWith[]
  conditions: string[]
  failures: FailedCondition[]
}

const compared = ['rate', 'mean', 'p50', 'p90', 'p99', 'p99.9', 'max', 'lost', 'errors']

const noClaimBecause =
  'No claim: two runs of the same server differ, too, and a single one of each does not say by ' +
  'how much. For a claim measure them in turn: yodel bench ADDRESS --against ADDRESS --rounds 10.'

/** @param names the names of the results, in their order; there are two or more */
export function compareRuns(
  results: readonly RunResult[],
  names: readonly string[],
  failIf: readonly Condition[] = [],
): RunComparison {
  const [baseline, ...others] = results as [RunResult, ...RunResult[]]
  const [baselineName, ...otherNames] = names as [string, ...string[]]
  const failures = others.flatMap((result, index) =>
    failIf
      .map(condition => checkRun(condition, result))
      .filter(({ held }) => held === 'yes')
      .map(({ condition, measured }) => ({ condition, measured, name: otherNames[index]! })),
  )
  const unlikes = others.flatMap((result, index) =>
    unlike(baseline, result, baselineName, otherNames[index]!),
  )
  const outcome = outcomeOf(results, unlikes)
  return {
    format: compareFormat,
    outcome,
    verdict: failures.length > 0 || outcome === 'failed' ? 'fail' : 'pass',
    noClaimBecause,
    warnings: [...doubts(results, names, outcome), ...unlikes],
    baseline: describe(baseline, baselineName),
    others: others.map((result, index) => ({
      ...describe(result, otherNames[index]!),
      changes: compared.map(name => change(name, baseline, result)),
    })),
    conditions: failIf.map(({ text }) => text),
    failures,
  }
}

/** The gravest comes first: wrong bytes count, whether a run is valid or not. */
function outcomeOf(results: readonly RunResult[], unlikes: string[]): RunComparison['outcome'] {
  if (results.some(failsAnyway)) return 'failed'
  if (results.some(({ valid }) => !valid)) return 'invalid'
  if (unlikes.length > 0) return 'unlike'
  return results.some(({ verdict }) => verdict === 'fail') ? 'failed' : 'compared'
}

const describe = ({ run, seconds, valid, verdict }: RunResult, name: string): ComparedRun => ({
  name,
  startedAt: run.startedAt,
  seconds,
  valid,
  verdict,
})

function change(name: string, before: RunResult, after: RunResult): Change {
  const metric = parseMetric(name)
  const [baseline, value] = [metric.of(before), metric.of(after)]
  const known = baseline !== null && value !== null && baseline > 0
  return {
    metric: name,
    kind: metric.kind,
    baseline,
    value,
    change: known ? value / baseline - 1 : null,
  }
}

/** Why the figures of the runs cannot be trusted; first what decides the outcome. */
function doubts(
  results: readonly RunResult[],
  names: readonly string[],
  outcome: RunComparison['outcome'],
): string[] {
  const invalid = results.flatMap(({ valid, invalidBecause }, index) =>
    valid ? [] : [`${names[index]!} is not valid: ${invalidBecause.join(' ')}`],
  )
  const failed = results.flatMap(({ verdict, failedBecause }, index) =>
    verdict === 'fail' ? [`${names[index]!} failed: ${failedBecause.join(' ')}`] : [],
  )
  return outcome === 'failed' ? [...failed, ...invalid] : [...invalid, ...failed]
}

function unlike(before: RunResult, after: RunResult, first: string, second: string): string[] {
  const found = differences(before.run, after.run)
  if (found.length === 0) return []
  const list = found.map(({ what, baseline, value }) => `${what} (${baseline}, then ${value})`)
  return [`${first} and ${second} differ in more than what is measured: ${list.join('; ')}.`]
}
