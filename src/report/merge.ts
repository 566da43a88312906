/** The result of all slices of a load, made of what the threads of all machines have found out. */
import { usageError } from '../vocabulary/errors.ts'
import { formatDuration } from '../vocabulary/units.ts'
import type { ThreadResult } from '../load/thread-result.ts'
import { checkHistogram, checkSnapshot } from '../metrics/saved.ts'
import { SnapshotSum } from '../metrics/sum.ts'
import { checkAlike, conditionsOfPart, type ComparedPart } from './same-load.ts'
import { resultOf, type Gathered } from './gathered.ts'
import { partFormat, type PartSection, type PartFigures } from './part-form.ts'
import { threadResultsIn, startErrorMaxMs } from './part-section.ts'
import type { Interval, RunConditions, RunResult } from './result.ts'
import { Series } from './series.ts'
import { withVerdict } from './summarize.ts'

/** Slices that begin or end at instants further apart than this did not run together. */
const togetherShare = 0.01

/** What is kept of a part once it was added. */
interface Kept extends Pick<RunResult, 'seconds' | 'valid' | 'invalidBecause' | 'notes'> {
  name: string
  slice: number
  startedMs: number
  engine: string
  row: PartFigures
}

/** What is known of the parts, but not contained in them; with agents, by the coordinator. */
export interface KnownOfParts {
  noun: 'Slice' | 'Agent'
  /** Further columns of the row of a slice. */
  row: (slice: number, name: string) => Partial<PartFigures>
  /** Slices that are not whole, for a known reason. */
  broken: ReadonlySet<number>
  /** Why the whole result is not valid. */
  because: readonly string[]
  notes: readonly string[]
  /** The series of the result, if it is not made of the series of the parts. */
  intervals?: Interval[] | undefined
  /** What to do if the parts did not begin together. */
  advice: string
}

/**
 * Adds the results of slices: buckets and counters, never averages. What is missing makes the
 * result invalid.
 * @param names the names of their files, for messages and rows
 * @throws UserError if they do not belong together, or if one is not the result of a slice
 */
export function merge(results: readonly RunResult[], names?: readonly string[]): RunResult {
  const merger = new Merger()
  const parts = results
    .map((result, n) => ({ result, name: names?.[n] ?? `part ${n + 1}` }))
    .toSorted((a, b) => partIn(a.result, a.name).slice - partIn(b.result, b.name).slice)
  for (const { result, name } of parts) merger.add(result, name)
  return merger.finish({
    noun: 'Slice',
    row: (_, name) => (names ? { file: name } : {}),
    broken: new Set(),
    because: [],
    notes: [],
    advice: 'Give every slice the same --start-at, and set the clocks by NTP.',
  })
}

interface SumOfStage {
  text: string
  ms: number
  beganMs: number
  passed: SnapshotSum
}

/** Adds parts as they come, in any order, and does not keep them. */
export class Merger {
  readonly #kept: Kept[] = []
  /** The load of the first part, and the conditions of the lowest slice. */
  #first: ComparedPart | undefined
  #lowest: { slice: number; run: RunConditions } | undefined
  #threads = 0
  readonly #total = new SnapshotSum()
  readonly #threadResults: ThreadResult[] = []
  readonly #series = new Series()
  #stages: SumOfStage[] | undefined

  get size(): number {
    return this.#kept.length
  }

  /** @throws UserError if the result does not belong to the others, or is not that of a slice */
  add(result: RunResult, name: string): void {
    const part = partIn(result, name)
    const { slice, of, startedMs, startErrorMs, connections } = part
    const { run, rates, responseUs, generator, seconds, valid, invalidBecause, notes } = result
    const compared = { name, conditions: conditionsOfPart(result, part), expect: part.expect }
    if (this.#first) checkAlike(this.#first, compared)
    const twin = this.#kept.find(other => other.slice === slice)
    if (twin) throw usageError(`${twin.name} and ${name} are both slice ${slice}.`)
    this.#count(checked(result, part, name), part, result.intervals)
    this.#first ??= compared
    if (slice < (this.#lowest?.slice ?? Infinity)) this.#lowest = { slice, run }
    this.#threads += run.threads
    const row = {
      slice: `${slice}/${of}`,
      connections,
      startedAt: run.startedAt,
      startErrorMs,
      achievedPerSecond: rates.achievedPerSecond,
      p99Us: responseUs.p99,
      cpuShare: generator.cpuShare,
      valid,
    }
    const told = notes.filter(isOfEngine)
    const fate = { valid, invalidBecause, notes: told }
    this.#kept.push({ name, slice, startedMs, seconds, engine: run.engine, row, ...fate })
  }

  #count(
    threadResults: ThreadResult[],
    { total, stages, intervals }: PartSection,
    series: Interval[],
  ): void {
    this.#total.add(total)
    this.#threadResults.push(...threadResults)
    for (const [n, interval] of series.entries()) this.#series.add(interval, intervals[n]!)
    if (stages === null) return
    this.#stages ??= []
    for (const [n, { text, ms, beganMs, passed }] of stages.entries()) {
      const sum = (this.#stages[n] ??= { text, ms, beganMs, passed: new SnapshotSum() })
      sum.beganMs = Math.min(sum.beganMs, beganMs)
      sum.passed.add(passed)
    }
  }

  finish(known: KnownOfParts): RunResult {
    if (!this.#first || !this.#lowest)
      throw usageError('There is nothing to merge.', 'Name the files of all slices.')
    const parts = this.#kept.toSorted((a, b) => a.slice - b.slice)
    const stages = this.#stages?.map(stage => ({ ...stage, passed: stage.passed.snapshot() }))
    const gathered: Gathered = {
      total: this.#total.snapshot(),
      threadResults: this.#threadResults,
      intervals: known.intervals ?? this.#series.intervals,
      stages,
    }
    const notes = [...notesOf(parts, known), ...known.notes]
    const conditions = conditionsOf(this.#lowest.run, parts, this.#threads, known)
    const result = resultOf(gathered, conditions, this.#first.expect, notes)
    const because = result.invalidBecause
    const timed = typeof conditions.options.durationMs === 'number'
    const invalidBecause = [
      ...known.because,
      ...(known.noun === 'Slice' ? missing(parts) : []),
      ...apart(parts, timed, known),
      ...invalid(parts, because, known),
      ...because,
    ]
    return withVerdict({ ...result, invalidBecause })
  }
}

function partIn({ part, run }: RunResult, name: string): PartSection {
  if (!part)
    throw usageError(
      run.parts
        ? `${name} is merged already.`
        : `${name} is the result of a whole load, not of a slice.`,
      'Merge what `yodel bench ADDRESS --slice 1/2 --output FILE.json` wrote.',
    )
  const format: string = part.format
  if (format === partFormat) return part
  throw usageError(
    `${name} is a part of the format ${format}; this reads ${partFormat}.`,
    'Use the same version of yodel for all slices, and to merge them.',
  )
}

/** @returns what its threads found out. @throws UserError if the part contradicts its result */
function checked(result: RunResult, part: PartSection, name: string): ThreadResult[] {
  try {
    const { total, intervals, stages } = part
    checkSnapshot(total)
    const { messagesReceived = 0, messagesPlanned = 0 } = total.counters
    const { response = { sumNs: 0, buckets: [] } } = total.histograms
    intervals.forEach(checkHistogram)
    for (const { passed } of stages ?? []) checkSnapshot(passed)
    if (
      messagesReceived !== result.messages.received ||
      messagesPlanned !== result.messages.planned ||
      checkHistogram(response) !== result.responseUs.count ||
      intervals.length !== result.intervals.length
    )
      throw new RangeError('not what its result says')
    return threadResultsIn(part)
  } catch (error) {
    if (!isDamage(error)) throw error
    throw usageError(
      `${name} is damaged: its section 'part' does not belong to its result.`,
      'Measure again.',
    )
  }
}

const isDamage = (error: unknown) => error instanceof RangeError || error instanceof TypeError

function conditionsOf(
  run: RunConditions,
  parts: readonly Kept[],
  threads: number,
  known: KnownOfParts,
): RunConditions {
  const { slice: _slice, startAt: _startAt, ...options } = run.options
  // The engine of a part that died is not known.
  const engines = new Set(parts.flatMap(({ engine }) => engine || []))
  return {
    ...run,
    engine: [...engines].join(', '),
    threads,
    options,
    // The command for the whole load on one machine.
    reproduce: run.reproduce.replace(/ --slice \S+/, '').replace(/ --start-at \S+/, ''),
    startedAt: new Date(Math.min(...parts.map(({ startedMs }) => startedMs))).toISOString(),
    parts: parts.map(({ row, slice, name, valid }) => ({
      ...row,
      valid: valid && !known.broken.has(slice),
      ...known.row(slice, name),
    })),
  }
}

const spreadOf = (values: readonly number[]): number => Math.max(...values) - Math.min(...values)
const startSpread = (parts: readonly Kept[]): number =>
  spreadOf(parts.map(({ startedMs }) => startedMs))

function notesOf(parts: readonly Kept[], { noun }: KnownOfParts): string[] {
  const told = new Set(parts.flatMap(({ notes }) => notes))
  if (parts.length < 2) return [...told]
  const spread = formatDuration(startSpread(parts))
  return [
    ...told,
    noun === 'Slice'
      ? `The slices began within ${spread} of one another, by their own clocks.`
      : `The agents began within ${spread} of one another.`,
  ]
}

const isOfEngine = (note: string) => / engine sent\. /.test(note)

function missing(parts: readonly Kept[]): string[] {
  const of = Number(parts[0]!.row.slice.split('/')[1])
  const there = new Set(parts.map(({ slice }) => slice))
  const absent = Array.from({ length: of }, (_, n) => n + 1).filter(slice => !there.has(slice))
  if (absent.length === 0) return []
  const [noun, verb] = absent.length === 1 ? ['Slice', 'is'] : ['Slices', 'are']
  return [`${noun} ${absent.join(', ')} of ${of} ${verb} missing: this is not the whole load.`]
}

/** Parts that did not run at the same time were not one load. */
function apart(
  all: readonly Kept[],
  timed: boolean,
  { noun, broken, advice }: KnownOfParts,
): string[] {
  const parts = all.filter(({ slice }) => !broken.has(slice))
  if (parts.length < 2) return []
  const lengthsMs = parts.map(({ seconds }) => seconds * 1e3)
  const allowedMs = Math.max(startErrorMaxMs, togetherShare * Math.max(...lengthsMs))
  const spreadMs = startSpread(parts)
  const reasons = []
  if (spreadMs > allowedMs)
    reasons.push(
      `The ${noun.toLowerCase()}s did not run together: the last began ` +
        `${formatDuration(spreadMs)} after the first. ${advice}`,
    )
  if (timed && spreadOf(lengthsMs) > allowedMs) {
    const shortest = parts[lengthsMs.indexOf(Math.min(...lengthsMs))]!
    reasons.push(
      `${label(shortest, noun)} was over after ${formatDuration(shortest.seconds * 1e3)}, ` +
        `another one after ${formatDuration(Math.max(...lengthsMs))}.`,
    )
  }
  return reasons
}

/** @param because why the whole is not valid; if it says why, the reasons of slices are left out */
const invalid = (
  parts: readonly Kept[],
  because: readonly string[],
  known: KnownOfParts,
): string[] =>
  parts
    .filter(({ valid, slice }) => !valid && !known.broken.has(slice))
    .map(each => {
      const reasons = because.length > 0 ? '' : `: ${each.invalidBecause.join(' ')}`
      return `${label(each, known.noun)} is not valid by itself${reasons || '.'}`
    })

const label = ({ row, name }: Kept, noun: string) =>
  `${noun} ${row.slice.replace('/', ' of ')} (${name})`
