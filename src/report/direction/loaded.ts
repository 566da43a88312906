/** What the path adds to a round trip while it is full, as plain JSON. */
import type { Machine } from '../../vocabulary/machine.ts'
import type { Distribution, ObjectiveResult, RunResult } from '../result.ts'
import { meetsLoaded, type LoadedObjective } from './loaded-objective.ts'
import { responsivenessOf, type ForeignProbe } from './responsiveness.ts'
import type { Responsiveness, SelfProbe } from './responsiveness.ts'
import { missedOf } from './objective.ts'
import { unfinishedText, type DirectionResult } from './result.ts'

export const loadedFormat = 'yodel-loaded-1'

export interface LoadedConditions {
  address: string
  /** `both:4`: what was filled, by how many flows in each direction. */
  load: string
  durationMs: number
  warmupMs: number
  ratePerSecond: number
  reproduce: string
  startedAt: string
  versions: Record<string, string>
  machine: Machine
}

export interface LoadedResult {
  format: typeof loadedFormat
  verdict: 'pass' | 'fail'
  failedBecause: string[]
  /** Objectives, and what became of them. */
  expectations: ObjectiveResult[]
  run: LoadedConditions
  /** Round trips, from the planned instant. */
  idleUs: Distribution
  loadedUs: Distribution
  /** How much more, at each percentile that both have. */
  addedUs: Partial<Record<Rank, number>>
  /** A minute divided by the mean of the fastest 95 % under load; null if nothing came back. */
  roundTripsPerMinute: number | null
  /** Only with https. */
  responsiveness?: Responsiveness
  grade: Grade | null
  idle: RunResult
  loaded: RunResult
  flows: DirectionResult
}

export const ranks = ['p50', 'p90', 'p99', 'max'] as const
export type Rank = (typeof ranks)[number]

/**
 * The grades, by what the load adds to the median: this is the wait in buffers. Higher percentiles
 * also contain losses that were sent again.
 */
export const grades = [
  { word: 'none', belowMs: 5, meaning: 'the load adds next to nothing' },
  { word: 'slight', belowMs: 30, meaning: 'calls and games do not notice' },
  { word: 'noticeable', belowMs: 60, meaning: 'games notice, calls do not' },
  { word: 'bad', belowMs: 200, meaning: 'calls and pages are slow while something loads' },
  { word: 'severe', belowMs: 400, meaning: 'calls break up while something loads' },
  { word: 'unusable', belowMs: Infinity, meaning: 'nothing else works while something loads' },
] as const
export type Grade = (typeof grades)[number]['word']

export function loadedResult(
  run: LoadedConditions,
  { idle, loaded, flows }: Pick<LoadedResult, 'idle' | 'loaded' | 'flows'>,
  objectives: readonly LoadedObjective[] = [],
  foreign?: readonly ForeignProbe[],
): LoadedResult {
  const [idleUs, loadedUs] = [idle.responseUs, loaded.responseUs]
  const addedUs: LoadedResult['addedUs'] = {}
  for (const rank of ranks) {
    const [before, after] = [idleUs[rank], loadedUs[rank]]
    if (before !== null && after !== null) addedUs[rank] = after - before
  }
  const meanUs = trimmedMean(loaded.histograms.responseUs)
  const roundTripsPerMinute = meanUs === undefined ? null : 60e6 / meanUs
  const figures = {
    idleUs,
    loadedUs,
    addedUs,
    roundTripsPerMinute,
    ...(foreign && {
      responsiveness: responsivenessOf(foreign, selfProbes(run, flows), run.durationMs),
    }),
  }
  const expectations = objectives.map(objective => meetsLoaded(objective, figures))
  const failedBecause = [
    ...wrongIn('while idle', idle),
    ...wrongIn('under load', loaded),
    // The flows only had to fill the path: bytes that they left in its buffers are not a failure.
    ...flows.failedBecause.filter(why => !unfinishedText(flows.unfinished).includes(why)),
    ...missedOf(expectations),
  ]
  return {
    format: loadedFormat,
    verdict: failedBecause.length === 0 ? 'pass' : 'fail',
    failedBecause,
    expectations,
    run,
    ...figures,
    grade: gradeOf(addedUs.p50),
    idle,
    loaded,
    flows,
  }
}

/** The round trips of the window: the flows began a warm-up before it. */
const selfProbes = ({ warmupMs }: LoadedConditions, { up, down }: DirectionResult): SelfProbe[] =>
  [up, down].flatMap(side =>
    (side?.tcp?.seconds ?? []).map(({ second, rttUs }) => ({
      atMs: second * 1e3 - warmupMs,
      rttMs: rttUs / 1e3,
    })),
  )

export const gradeOf = (addedUs: number | undefined): Grade | null =>
  addedUs === undefined ? null : grades.find(({ belowMs }) => addedUs < belowMs * 1e3)!.word

/** The failures of the path: only wrong or missing bytes, not what a busy machine causes. */
const wrongIn = (when: string, { messages, errors }: RunResult): string[] => {
  const failed = Object.entries(errors).filter(([, count]) => count > 0)
  if (messages.wrong === 0 && failed.length === 0) return []
  return [`Round trips failed ${when}: ${failed.map(([name, n]) => `${name} ${n}`).join(', ')}.`]
}

/**
 * The mean of the fastest 95 % (as draft-ietf-ippm-responsiveness defines it); undefined without
 * samples.
 */
export function trimmedMean(buckets: readonly (readonly [us: number, count: number])[]) {
  const count = buckets.reduce((sum, [, count]) => sum + count, 0)
  let left = Math.ceil(count * 0.95)
  const kept = left
  let sum = 0
  for (const [us, count] of buckets) {
    const taken = Math.min(left, count)
    sum += us * taken
    left -= taken
  }
  return kept > 0 ? sum / kept : undefined
}
