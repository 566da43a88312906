/** A saved result, as it is read again. */
import { usageError } from '../vocabulary/errors.ts'
import { failureNames } from '../metrics/meter.ts'
import { distributionNames, resultFormat, type RunResult } from './result.ts'

type Shape = (value: unknown) => boolean

const number: Shape = value => typeof value === 'number'
const numberOrNull: Shape = value => value === null || number(value)
const text: Shape = value => typeof value === 'string'
const flag: Shape = value => typeof value === 'boolean'
const listOf =
  (shape: Shape): Shape =>
  value =>
    Array.isArray(value) && value.every(shape)
const record =
  (shapes: Record<string, Shape>): Shape =>
  value =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(shapes).every(([key, shape]) => shape((value as Record<string, unknown>)[key]))
const each = (names: readonly string[], shape: Shape): Record<string, Shape> =>
  Object.fromEntries(names.map(name => [name, shape]))

const figures = ['min', 'mean', 'p50', 'p90', 'p99', 'p999', 'p9999', 'p99999', 'max']
const distribution = record({
  count: number,
  ...each(figures, numberOrNull),
})
const bucket: Shape = value => listOf(number)(value) && (value as unknown[]).length === 2

/** What others compute with; a result may have more. */
const shapes: Record<string, Shape> = {
  valid: flag,
  invalidBecause: listOf(text),
  verdict: text,
  failedBecause: listOf(text),
  seconds: number,
  rates: record({
    ...each(['plannedPerSecond', 'sentPerSecond', 'achievedPerSecond'], numberOrNull),
  }),
  notes: listOf(text),
  bytes: record({ sent: number, received: number }),
  expectations: listOf(record({ objective: text, measuredText: text, held: flag })),
  resolution: record(each(['relativeError', 'lowestUs', 'highestUs'], number)),
  generator: record({}),
  messages: record(
    each(['planned', 'sent', 'received', 'lost', 'unfinished', 'wrong', 'deferred'], number),
  ),
  ...each(distributionNames, distribution),
  errors: record(each(failureNames, number)),
  intervals: listOf(
    record({
      ...each(['second', 'seconds', 'sent', 'received', 'ratePerSecond'], number),
      responseUs: distribution,
    }),
  ),
  histograms: record(each(distributionNames, listOf(bucket))),
  run: record({
    ...each(['command', 'address', 'engine', 'startedAt'], text),
    threads: number,
    options: record({}),
    versions: record({}),
    machine: record({ system: text, cpu: text, cores: number, memoryBytes: number }),
  }),
}

const remedy = "Save a result with 'yodel bench --json > FILE'."

/**
 * @param name of the file, for the message
 * @throws UserError if it is no result, or one of another format
 */
export function readResult(text: string, name: string): RunResult {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    const what = text.trim() === '' ? 'is empty' : 'is no JSON'
    throw usageError(`${name} ${what}.`, remedy)
  }
  const format = record({})(value) ? (value as { format?: unknown }).format : undefined
  if (typeof format !== 'string' || !format.startsWith('yodel-'))
    throw usageError(`${name} is no result of yodel.`, remedy)
  if (format !== resultFormat) {
    if (format === 'yodel-result-1')
      throw usageError(
        `${name} has the format ${format}; this reads ${resultFormat}, in which rates are those ` +
          'of the window, and sent is what the system took.',
        'Measure again.',
      )
    const other = format.startsWith('yodel-result-')
      ? 'Use the version of yodel that wrote it, or measure again.'
      : remedy
    throw usageError(`${name} has the format ${format}; this reads ${resultFormat}.`, other)
  }
  const broken = Object.entries(shapes).find(
    ([key, shape]) => !shape((value as Record<string, unknown>)[key]),
  )
  if (broken)
    throw usageError(`${name} is damaged: its '${broken[0]}' is not that of a result.`, remedy)
  return value as RunResult
}
