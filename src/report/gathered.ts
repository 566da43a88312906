/**
 * What the threads of a load have found out, and the result that is made of it. Threads of several
 * machines are treated like those of one.
 */
import { toAddress } from '../vocabulary/address.ts'
import { isDatagrams, isHttp } from '../vocabulary/transport.ts'
import type { ThreadResult } from '../load/thread-result.ts'
import { shifted, type Outage } from '../load/outages.ts'
import { achievedOf, windowOf } from '../load/replies.ts'
import type { Snapshot } from '../metrics/snapshot.ts'
import type { Findings } from './findings.ts'
import { judge } from './judge.ts'
import { limitsOf } from './objective.ts'
import type { Interval, RunConditions, RunResult } from './result.ts'
import { firstMissed, stageFigures, type StagePassed } from './stage-figures.ts'
import { summarize } from './summarize.ts'

export interface Gathered {
  /** At the end of the run. */
  total: Snapshot
  /** The findings of each sending thread. */
  threadResults: readonly ThreadResult[]
  intervals: Interval[]
  /** Each stage of a load whose rate changes, whether it began or not. */
  stages: readonly StagePassed[] | undefined
}

/** @param expect the objectives; a part has none, since they are for the whole */
export function resultOf(
  gathered: Gathered,
  conditions: RunConditions,
  expect: readonly string[],
  notes: readonly string[] = [],
  limits = limitsOf(expect),
): RunResult {
  const findings = findingsOf(gathered, conditions, limits)
  const result = summarize(findings)
  result.notes.push(...notes)
  const stages = gathered.stages && stageFigures(gathered, findings, expect)
  if (stages) result.stages = stages
  return judge(result, expect, objective => firstMissed(stages ?? [], objective))
}

function findingsOf(
  { total, threadResults, intervals }: Gathered,
  conditions: RunConditions,
  limits: Findings['limits'],
): Findings {
  const { ratePerSecond, churnPerSecond, countCorruption } = conditions.options
  const address = toAddress(conditions.address)
  const wrongs = threadResults.map(({ wrong }) => wrong).filter(wrong => wrong !== undefined)
  return {
    total,
    window: windowOf(threadResults.map(({ log }) => log)),
    // Wrong bytes say more about the cause than missing bytes.
    wrong: wrongs.find(({ received }) => received.length > 0) ?? wrongs[0],
    intervals,
    statuses: threadResults.flatMap(({ statuses }) => [...(statuses ?? [])]),
    reasons: threadResults.flatMap(({ reasons }) => [...(reasons ?? [])]),
    threads: threadResults.map(({ effort }) => effort),
    openLoop: typeof ratePerSecond === 'number',
    churn:
      Number(churnPerSecond) > 0
        ? achievedOf(threadResults.flatMap(({ churn }) => churn ?? []))
        : undefined,
    churnLateUs: Math.max(...threadResults.map(({ churnLateNs }) => churnLateNs ?? 0)) / 1e3,
    countingCorruption: countCorruption === true,
    datagrams: isDatagrams(address),
    http: isHttp(address),
    outages: conditions.options.reconnect === true ? outagesOf(threadResults) : undefined,
    limits,
    conditions,
  }
}

/** The outages of all threads, after the beginning of their common window. */
function outagesOf(threadResults: readonly ThreadResult[]): Outage[] {
  const fromNs = Math.min(...threadResults.map(({ log }) => log.fromNs))
  return threadResults.flatMap(({ log, outages = [] }) =>
    outages.map(outage => shifted(outage, log.fromNs - fromNs)),
  )
}
