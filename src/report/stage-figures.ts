/** What the stages of a load whose rate changes have measured. */
import type { ThreadResult } from '../load/thread-result.ts'
import { achievedOf } from '../load/replies.ts'
import { Histogram } from '../metrics/histogram.ts'
import { failureNames } from '../metrics/meter.ts'
import { readHistogram } from '../metrics/saved.ts'
import type { Snapshot } from '../metrics/snapshot.ts'
import type { Findings } from './findings.ts'
import { compare, meets, parseObjective, type Objective } from './objective.ts'
import type { RunResult, StageFigures } from './result.ts'
import { distribution, summarize } from './summarize.ts'

/** A stage, and what happened in it by the clock. */
export interface StagePassed {
  /** The text of the stage, and its planned length. */
  text: string
  ms: number
  /** When it began by the plan, after the end of the warm-up. */
  beganMs: number
  /** What happened; `atMs` is how long it really was. */
  passed: Snapshot
}

interface StagesFound {
  stages?: readonly StagePassed[] | undefined
  threadResults: readonly ThreadResult[]
}

/**
 * Objectives that are judged for the whole run only: in a short stage one lost message is a large
 * share.
 */
const notOfStages = new Set(['loss', 'lost'])

/**
 * The figures of each stage that began. Planned and received messages, rate and response times
 * follow the planned instants of the messages; all other figures follow the clock.
 * @param findings the findings of the whole run, for the objectives, which are judged for each
 * stage
 */
export function stageFigures(
  { stages = [], threadResults }: StagesFound,
  findings: Findings,
  objectives: readonly string[],
): StageFigures[] {
  const began = stages.filter(({ beganMs }) => beganMs < findings.window.seconds * 1e3)
  return began.map(({ text, ms, beganMs, passed }, n) => {
    const { planned, response, seconds, achieved } = ofStage(threadResults, n)
    const [sent, received] = [passed.messagesSent, response.count]
    const total = { ...passed, response, messagesPlanned: planned, messagesReceived: received }
    const window = { ...findings.window, seconds, achieved, sent }
    // An outage belongs to the stage in which it began.
    const endMs = beganMs + ms
    const outages = findings.outages?.filter(
      ({ beginNs }) => beginNs >= beganMs * 1e6 && beginNs < endMs * 1e6,
    )
    const result = summarize({ ...findings, total, window, outages, intervals: [] })
    return {
      stage: text,
      second: beganMs / 1e3,
      seconds,
      planned,
      sent,
      received,
      errors: failureNames.reduce((sum, name) => sum + passed[name], 0),
      ratePerSecond: seconds > 0 ? achieved / seconds : 0,
      responseUs: distribution(response),
      missed: objectives.flatMap(text => missedBy(text, result)),
    }
  })
}

/** The logs of all threads for a stage. */
function ofStage(threadResults: readonly ThreadResult[], n: number) {
  const logs = threadResults.flatMap(({ stages }) => stages?.[n] ?? [])
  const response = new Histogram()
  for (const log of logs) response.add(readHistogram(log.response))
  const planned = logs.reduce((sum, log) => sum + log.planned, 0)
  return { planned, response, ...achievedOf(logs.map(({ came }) => came)) }
}

/** The objective with its measured value, if it was missed. */
function missedBy(text: string, result: RunResult): StageFigures['missed'] {
  const objective = parseObjective(text)
  if (notOfStages.has(objective.metric.name) || isAbovePlan(objective, result)) return []
  const { held, measured, measuredText } = meets(objective, result)
  // An outage that had not ended has no length, and is missed all the same.
  const isKnown = measured !== null || (objective.metric.name === 'outage' && result.outages)
  return held || !isKnown ? [] : [{ objective: text, measuredText }]
}

/** Whether the plan of the stage is below the rate that is expected, as in a pause. */
function isAbovePlan({ metric, operator, limit }: Objective, { rates }: RunResult): boolean {
  if (metric.kind !== 'rate' || operator === '<' || operator === '<=') return false
  return !compare(rates.plannedPerSecond ?? 0, operator === '=' ? '>=' : operator, limit)
}

/** In which stage an objective was missed first, as a part of a sentence. */
export function firstMissed(stages: readonly StageFigures[], text: string): string | undefined {
  const at = stages.findIndex(({ missed }) => missed.some(({ objective }) => objective === text))
  if (at === -1) return undefined
  const { stage, missed } = stages[at]!
  const { measuredText } = missed.find(({ objective }) => objective === text)!
  return `stage ${at + 1} of ${stages.length} (${stage}), with ${measuredText}`
}
