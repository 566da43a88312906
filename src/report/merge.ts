/** The result of all slices of a load, made of what the threads of all machines have found out. */
import { usageError, UserError } from '../vocabulary/errors.ts'
import { formatDuration } from '../vocabulary/units.ts'
import { plus } from '../metrics/snapshot.ts'
import { resultOf, type Gathered } from './gathered.ts'
import { partFormat, type Part, type PartFigures } from './part-form.ts'
import { gatheredIn, responsesIn, startErrorMaxMs } from './part.ts'
import type { Interval, RunConditions, RunResult } from './result.ts'
import { joinSeries } from './series.ts'
import type { StagePassed } from './stage-figures.ts'
import { withVerdict } from './summarize.ts'

/** Slices that begin or end at instants further apart than this did not run together. */
const togetherShare = 0.01

interface Named {
  name: string
  result: RunResult
  part: Part
}

/** What is known of the parts beside what they say themselves: of agents, by their coordinator. */
export interface Known {
  noun: 'Slice' | 'Agent'
  /** What the row of a slice has, too. */
  row: (slice: number, name: string) => Partial<PartFigures>
  /** Slices of which it is known why they are not whole. */
  broken: ReadonlySet<number>
  /** Why it is not valid. */
  because: readonly string[]
  notes: readonly string[]
  /** Their series, where they are not to be joined. */
  intervals?: Interval[] | undefined
  /** What to do where they did not begin together. */
  advice: string
}

/**
 * Adds the results of slices: buckets and counters, never averages. What is missing makes the
 * result invalid.
 * @param names of their files, for messages and rows
 * @throws UserError if they do not belong together, or one is no result of a slice
 */
export function merge(results: readonly RunResult[], names?: readonly string[]): RunResult {
  return mergeKnown(results, n => names?.[n] ?? `part ${n + 1}`, {
    noun: 'Slice',
    row: (_, name) => (names ? { file: name } : {}),
    broken: new Set(),
    because: [],
    notes: [],
    advice: 'Give all the same --start-at, and set their clocks by NTP.',
  })
}

/** The same, with what else is known of them. */
export function mergeKnown(
  results: readonly RunResult[],
  nameOf: (n: number) => string,
  known: Known,
): RunResult {
  const parts = results
    .map((result, n) => ({ name: nameOf(n), result, part: partIn(result, nameOf(n)) }))
    .toSorted((a, b) => a.part.slice - b.part.slice)
  const [first, ...others] = parts
  if (!first) throw usageError('There is nothing to merge.', 'Name the files of all slices.')
  for (const other of others) checkAlike(first, other)
  for (const [n, { name, part }] of parts.entries())
    if (n > 0 && part.slice === parts[n - 1]!.part.slice)
      throw usageError(`${parts[n - 1]!.name} and ${name} are both slice ${part.slice}.`)
  const joined = together(parts)
  const gathered = { ...joined, intervals: known.intervals ?? joined.intervals }
  const notes = [...notesOf(parts, known), ...known.notes]
  const result = resultOf(gathered, conditionsOf(parts, known), first.part.expect, notes)
  const because = result.invalidBecause
  const invalidBecause = [
    ...known.because,
    ...(known.noun === 'Slice' ? missing(parts) : []),
    ...apart(parts, known),
    ...invalid(parts, because, known),
    ...because,
  ]
  return withVerdict({ ...result, invalidBecause })
}

function partIn({ part, run }: RunResult, name: string): Part {
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

/** What may differ between slices of one load. */
const own = new Set(['slice', 'startAt', 'engine', 'threads'])

/** Everything else that decides what is sent. */
function planOf({ result: { run }, part }: Named): Map<string, string> {
  const options = Object.entries(run.options).filter(([name]) => !own.has(name))
  return new Map([
    ['count of slices', String(part.of)],
    ['version of yodel', run.versions.yodel ?? 'unknown'],
    ['address', run.address],
    ['seed', String(run.seed)],
    ['objectives', part.expect.join(', ') || 'none'],
    ...options.map(([name, value]): [string, string] => [name, JSON.stringify(value)]),
    ...callingFlags.map((flag): [string, string] => [`option ${flag}`, typed(flag, run.reproduce)]),
  ])
}

/** Options of what a client sends before its first message: only the command has them. */
const callingFlags = ['send-proxy', 'alpn', 'server-name', 'header']
const typed = (flag: string, command: string): string =>
  command
    .match(new RegExp(` --${flag}(?= |$)( '[^']*'| [^-'\\s]\\S*)?`, 'g'))
    ?.join('')
    .trim() ?? 'none'

function checkAlike(first: Named, other: Named): void {
  const [one, two] = [planOf(first), planOf(other)]
  for (const what of new Set([...one.keys(), ...two.keys()])) {
    const [a, b] = [one.get(what) ?? 'none', two.get(what) ?? 'none']
    if (a !== b)
      throw usageError(
        `${other.name} is no part of the load of ${first.name}: ${what} ${b}, not ${a}.`,
        'Slices of one load differ in --slice alone.',
      )
  }
}

function together(parts: readonly Named[]): Gathered {
  const read = parts.map(each => readPart(each))
  const stages = read.map(({ gathered }) => gathered.stages ?? [])
  const most = Math.max(...stages.map(({ length }) => length))
  return {
    total: plus(read.map(({ gathered }) => gathered.total)),
    outcomes: read.flatMap(({ gathered }) => [...gathered.outcomes]),
    intervals: joinSeries(read.map(({ intervals }) => intervals)),
    stages:
      parts[0]!.part.stages === null
        ? undefined
        : Array.from({ length: most }, (_, n) => joinStages(stages.flatMap(all => all[n] ?? []))),
  }
}

const joinStages = (all: readonly StagePassed[]): StagePassed => ({
  ...all[0]!,
  beganMs: Math.min(...all.map(({ beganMs }) => beganMs)),
  passed: plus(all.map(({ passed }) => passed)),
})

/** @throws UserError if it does not say what its result says */
function readPart({ name, result, part }: Named) {
  try {
    const gathered = gatheredIn(part)
    const responses = responsesIn(part)
    const { total } = gathered
    if (
      total.messagesReceived !== result.messages.received ||
      total.messagesPlanned !== result.messages.planned ||
      total.response.count !== result.responseUs.count ||
      responses.length !== result.intervals.length
    )
      throw new RangeError('not what its result says')
    const intervals = result.intervals.map((interval, n) => ({ interval, response: responses[n]! }))
    return { gathered, intervals }
  } catch (error) {
    if (error instanceof UserError || !isDamage(error)) throw error
    throw usageError(`${name} is damaged: its 'part' is not that of its result.`, 'Measure again.')
  }
}

const isDamage = (error: unknown) => error instanceof RangeError || error instanceof TypeError

function conditionsOf(parts: readonly Named[], known: Known): RunConditions {
  const { run } = parts[0]!.result
  const { slice: _slice, startAt: _startAt, ...options } = run.options
  // The engine of a part that died is not known.
  const engines = new Set(parts.flatMap(({ result }) => result.run.engine || []))
  return {
    ...run,
    engine: [...engines].join(', '),
    threads: parts.reduce((sum, { result }) => sum + result.run.threads, 0),
    options,
    // The command for the whole load on one machine.
    reproduce: run.reproduce.replace(/ --slice \S+/, '').replace(/ --start-at \S+/, ''),
    startedAt: new Date(Math.min(...parts.map(({ part }) => part.startedMs))).toISOString(),
    parts: parts.map(each => rowOf(each, known)),
  }
}

const rowOf = ({ name, result, part }: Named, known: Known): PartFigures => ({
  slice: `${part.slice}/${part.of}`,
  connections: part.connections,
  startedAt: result.run.startedAt,
  startErrorMs: part.startErrorMs,
  achievedPerSecond: result.rates.achievedPerSecond,
  p99Us: result.responseUs.p99,
  cpuShare: result.generator.cpuShare,
  valid: result.valid && !known.broken.has(part.slice),
  ...known.row(part.slice, name),
})

const spreadOf = (values: readonly number[]): number => Math.max(...values) - Math.min(...values)
const startSpread = (parts: readonly Named[]): number =>
  spreadOf(parts.map(({ part }) => part.startedMs))

function notesOf(parts: readonly Named[], { noun }: Known): string[] {
  const told = new Set(parts.flatMap(({ result }) => result.notes.filter(isOfEngine)))
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

function missing(parts: readonly Named[]): string[] {
  const { of } = parts[0]!.part
  const there = new Set(parts.map(({ part }) => part.slice))
  const absent = Array.from({ length: of }, (_, n) => n + 1).filter(slice => !there.has(slice))
  if (absent.length === 0) return []
  const [noun, verb] = absent.length === 1 ? ['Slice', 'is'] : ['Slices', 'are']
  return [`${noun} ${absent.join(', ')} of ${of} ${verb} missing: this is not the whole load.`]
}

/** Parts that did not run at the same time were not one load. */
function apart(all: readonly Named[], { noun, broken, advice }: Known): string[] {
  const parts = all.filter(({ part }) => !broken.has(part.slice))
  if (parts.length < 2) return []
  const lengthsMs = parts.map(({ result }) => result.seconds * 1e3)
  const allowedMs = Math.max(startErrorMaxMs, togetherShare * Math.max(...lengthsMs))
  const spreadMs = startSpread(parts)
  const reasons = []
  if (spreadMs > allowedMs)
    reasons.push(
      `The ${noun.toLowerCase()}s did not run together: the last began ` +
        `${formatDuration(spreadMs)} after the first. ${advice}`,
    )
  const timed = typeof parts[0]!.result.run.options.durationMs === 'number'
  if (timed && spreadOf(lengthsMs) > allowedMs) {
    const shortest = parts[lengthsMs.indexOf(Math.min(...lengthsMs))]!
    reasons.push(
      `${label(shortest, noun)} was over after ${formatDuration(shortest.result.seconds * 1e3)}, ` +
        `another one after ${formatDuration(Math.max(...lengthsMs))}.`,
    )
  }
  return reasons
}

/** @param because why the whole is not valid; slices with the same reason are not named again */
const invalid = (parts: readonly Named[], because: readonly string[], known: Known): string[] =>
  parts
    .filter(({ result, part }) => !result.valid && !known.broken.has(part.slice))
    .map(each => {
      const reasons = because.length > 0 ? '' : `: ${each.result.invalidBecause.join(' ')}`
      return `${label(each, known.noun)} is not valid by itself${reasons || '.'}`
    })

const label = ({ part, name }: Named, noun: string) =>
  `${noun} ${part.slice} of ${part.of} (${name})`
