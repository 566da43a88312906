/**
 * The section `part` in the result of a slice: all that its threads have found out. From that
 * `yodel merge` makes the result of all slices in the same way as a single run makes its own.
 */
import type { ThreadResult } from '../load/thread-result.ts'
import type { Slice } from '../load/part.ts'
import { checkHistogram, saveSnapshot, type SavedHistogram } from '../metrics/saved.ts'
import { countsFor } from '../metrics/sparse.ts'
import { formatDuration } from '../vocabulary/units.ts'
import { resultOf, type Gathered } from './gathered.ts'
import { limitsOf } from './objective.ts'
import { partFormat, type PartSection } from './part-form.ts'
import type { RunConditions, RunResult } from './result.ts'
import { withVerdict } from './summarize.ts'

export type PartAbout = Pick<
  PartSection,
  'connections' | 'startedMs' | 'startErrorMs' | 'calling' | 'expect'
>

/** @param startNs on the clock of the logs of its threads */
export function partFrom(
  { number, of }: Slice,
  about: PartAbout,
  gathered: Gathered,
  intervals: SavedHistogram[],
  startNs: number,
): PartSection {
  const relative = <L extends { fromNs: number }>(log: L): L => ({
    ...log,
    fromNs: log.fromNs - startNs,
  })
  const threads = gathered.threadResults.map(({ log, churn, stages, ...rest }) => ({
    ...rest,
    log: relative(log),
    stages: stages?.map(stage => ({ ...stage, came: relative(stage.came) })),
    churn: churn && relative(churn),
  }))
  const stages = gathered.stages?.map(stage => ({ ...stage, passed: saveSnapshot(stage.passed) }))
  return {
    format: partFormat,
    slice: number,
    of,
    ...about,
    total: saveSnapshot(gathered.total),
    threads: threads.map(encode),
    intervals,
    stages: stages ?? null,
  }
}

/** The result of only this slice. Objectives are not judged: they are for the whole load. */
export function resultOfPart(
  part: PartSection,
  gathered: Gathered,
  conditions: RunConditions,
  notes: readonly string[],
): RunResult {
  const { slice, of, expect } = part
  const limits = limitsOf(expect)
  const told = [
    ...notes,
    `This is slice ${slice} of ${of}: \`yodel merge\` adds all of them.`,
    ...expect.map(objective => `${objective} is judged on all slices by \`yodel merge\`.`),
  ]
  const own = limits.loss ? { ...limits, loss: () => true } : limits
  return { ...resultOf(gathered, conditions, [], told, own), part }
}

/** A slice that starts later than this after --start-at is not valid. */
export const startErrorMaxMs = 100

export function withStartError(result: RunResult, startErrorMs: number | null): RunResult {
  if (startErrorMs === null || startErrorMs <= startErrorMaxMs) return result
  const late =
    `It began ${formatDuration(startErrorMs)} after --start-at, because it was not connected ` +
    'before. Name a later instant.'
  return withVerdict({ ...result, invalidBecause: [...result.invalidBecause, late] })
}

/** What the threads of the slice have found out. @throws RangeError or TypeError if damaged */
export const threadResultsIn = ({ threads }: PartSection): ThreadResult[] =>
  threads.map(each => checked(decode(each) as ThreadResult))

function checked(threadResult: ThreadResult): ThreadResult {
  const { log, churn, stages = [] } = threadResult
  for (const { planned, response } of stages)
    if (!Number.isSafeInteger(planned) || planned < checkHistogram(response))
      throw new RangeError('no log of a stage')
  const logs = [log, ...(churn ? [churn] : []), ...stages.map(({ came }) => came)]
  for (const log of logs) {
    const numbers = [log.fromNs, log.lengthNs, log.slotNs, log.lastNs]
    if (!numbers.every(Number.isFinite) || !ArrayBuffer.isView(log.counts))
      throw new RangeError('no log of replies')
  }
  if (!Number.isFinite(threadResult.log.sent) || !Array.isArray(threadResult.effort.stalls.longest))
    throw new RangeError('not what a thread found out')
  return threadResult
}

/** Encodes values for which JSON has no form: `$infinity`, `$map`, `$bytes` in hex, `$sparse`. */
function encode(value: unknown): unknown {
  if (value === Infinity) return { $infinity: true }
  if (value instanceof Map) return { $map: [...value] }
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('hex') }
  if (value instanceof Float64Array) {
    const filled = [...value.entries()].filter(([, count]) => count !== 0)
    return { $sparse: filled, length: value.length }
  }
  if (Array.isArray(value)) return value.map(encode)
  if (typeof value !== 'object' || value === null) return value
  return mapped(value, encode)
}

/** The longest list that is accepted: no log is as long. */
const lengthMax = 1_000_000

function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode)
  if (typeof value !== 'object' || value === null) return value
  if ('$infinity' in value) return Infinity
  if ('$map' in value) return new Map(value.$map as [unknown, unknown][])
  if ('$bytes' in value) return new Uint8Array(Buffer.from(value.$bytes as string, 'hex'))
  if ('$sparse' in value) {
    const { $sparse, length } = value as unknown as { $sparse: [number, number][]; length: number }
    if (!(length <= lengthMax)) throw new RangeError('too long')
    const largest = $sparse.reduce((most, [, count]) => Math.max(most, count), 0)
    const all = countsFor(length, largest)
    for (const [at, count] of $sparse) all[at] = count
    return all
  }
  return mapped(value, decode)
}

const mapped = (value: object, change: (value: unknown) => unknown) =>
  Object.fromEntries(Object.entries(value).map(([key, each]) => [key, change(each)]))
