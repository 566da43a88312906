/** A saved document, as it is read again: a result, or rounds of them. */
import { usageError } from '../vocabulary/errors.ts'
import { failureNames } from '../metrics/meter.ts'
import { parseMetric } from './objective.ts'
import { distributionNames, resultFormat, type RunResult } from './result.ts'
import { roundsFormat, sides, type Rounds } from './rounds.ts'
import {
  brokenKey,
  isDistribution,
  each,
  isFlag,
  listOf,
  isNumber,
  isNumberOrNull,
} from './predicates.ts'
import { record, isText, type Predicate } from './predicates.ts'

const bucket: Predicate = value => listOf(isNumber)(value) && (value as unknown[]).length === 2

/** The form of a slice. Nested values are checked by the code that reads them. */
const partShape = record({
  format: isText,
  ...each(['slice', 'of', 'connections', 'startedMs'], isNumber),
  startErrorMs: isNumberOrNull,
  calling: value => record({})(value) && Object.values(value as object).every(isText),
  expect: listOf(isText),
  total: record({ counters: record({}), histograms: record({}) }),
  ...each(['threads', 'intervals'], listOf(record({}))),
  stages: value => value === null || listOf(record({}))(value),
})

const isObject = record({})
const optional =
  (predicate: Predicate): Predicate =>
  value =>
    value === undefined || predicate(value)

const stageShape = record({
  stage: isText,
  ...each(['second', 'seconds', 'planned', 'sent', 'received', 'errors'], isNumber),
  ratePerSecond: isNumber,
  responseUs: isDistribution,
  missed: listOf(record({ objective: isText, measuredText: isText })),
})
const outageShape = record({
  ...each(['beginSeconds', 'connections', 'lost'], isNumber),
  ...each(['openSeconds', 'endSeconds', 'firstEchoUs'], isNumberOrNull),
  ...each(['breaks', 'failedDials'], isObject),
})
const wrongShape = record({
  ...each(['connection', 'offset'], isNumber),
  ...each(['expected', 'received', 'before', 'cause', 'detail'], isText),
})
const ownShape = record({ figure: isText, measured: isNumber, bound: isNumber })
/** Older files have less of it. */
const generatorShape = record({
  ...each(['cpuShare', 'onCpuShare', 'queuedShare'], optional(isNumberOrNull)),
  stalls: optional(record({ count: isNumber, totalMs: isNumber, longest: listOf(bucket) })),
  garbage: optional(record({ collections: isNumber, totalMs: isNumber })),
  own: optional(listOf(ownShape)),
})
const named = ['connections', 'depth', 'ratePerSecond', 'idle', 'churnPerSecond']
const sizeShape = record(each(['minBytes', 'maxBytes', 'weight'], isNumber))

/** The keys that other code computes with. A result may have more. */
const shapes: Record<string, Predicate> = {
  valid: isFlag,
  invalidBecause: listOf(isText),
  verdict: value => value === 'pass' || value === 'fail',
  failedBecause: listOf(isText),
  seconds: isNumber,
  rates: record({
    ...each(['plannedPerSecond', 'sentPerSecond', 'achievedPerSecond'], isNumberOrNull),
  }),
  notes: listOf(isText),
  bytes: record({ sent: isNumber, received: isNumber }),
  expectations: listOf(record({ objective: isText, measuredText: isText, held: isFlag })),
  resolution: record(each(['relativeError', 'lowestUs', 'highestUs'], isNumber)),
  generator: generatorShape,
  messages: record(
    each(['planned', 'sent', 'received', 'lost', 'unfinished', 'wrong', 'deferred'], isNumber),
  ),
  ...each(distributionNames, isDistribution),
  errors: record(each(failureNames, isNumber)),
  intervals: listOf(
    record({
      ...each(['second', 'seconds', 'sent', 'received', 'ratePerSecond'], isNumber),
      responseUs: isDistribution,
    }),
  ),
  histograms: record(each(distributionNames, listOf(bucket))),
  part: optional(partShape),
  stages: optional(listOf(stageShape)),
  outages: optional(
    record({ ...each(['reconnects', 'lost'], isNumber), rows: listOf(outageShape) }),
  ),
  firstWrong: value => value === null || wrongShape(value),
  run: record({
    ...each(['command', 'address', 'engine', 'startedAt', 'reproduce'], isText),
    threads: isNumber,
    options: record({
      ...each(named, optional(isNumberOrNull)),
      sizes: optional(listOf(sizeShape)),
    }),
    versions: value => isObject(value) && Object.values(value as object).every(isText),
    machine: record({ system: isText, cpu: isText, cores: isNumber, memoryBytes: isNumber }),
  }),
}

const sideShape = record({ address: isText, serve: value => value === null || isText(value) })
const isSide: Predicate = value => sides.some(side => side === value)
const roundShapes: Record<string, Predicate> = {
  ...each(sides, sideShape),
  orderSeed: isNumber,
  figures: listOf(isText),
  margin: isNumber,
  roundsWanted: isNumber,
  reproduce: isText,
  rounds: value =>
    listOf(record({ first: isSide, ...each(sides, record({})) }))(value) &&
    (value as unknown[]).length > 0,
  stoppedBecause: value => value === null || isText(value),
}

export const remedy = "Save a result with 'yodel bench --json > FILE'."

/**
 * @param name the name of the file, for the message
 * @throws UserError if it is neither a result nor rounds, or of another format
 */
export function readDocument(text: string, name: string): RunResult | Rounds {
  return checkDocument(parsed(text, name), name)
}

export const checkDocument = (value: unknown, name: string): RunResult | Rounds =>
  formatOf(value) === roundsFormat ? checkRounds(value, name) : checkResult(value, name)

export function parsed(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    const what = text.trim() === '' ? 'is empty' : 'is not JSON'
    throw usageError(`${name} ${what}.`, remedy)
  }
}

export const formatOf = (value: unknown): unknown =>
  record({})(value) ? (value as { format?: unknown }).format : undefined

/** @throws UserError if it is not a result, or one of another format */
export function readResult(text: string, name: string): RunResult {
  const read = readDocument(text, name)
  if (read.format === resultFormat) return read
  throw usageError(
    `${name} has the format ${read.format}; this reads ${resultFormat}.`,
    'Rounds are read by `yodel compare FILE` and `yodel report FILE`, one file at a time.',
  )
}

export const damagedAt = (name: string, broken: string, what: string): string =>
  `${name} is damaged: its '${broken}' does not have the form of ${what}.`

export function checkResult(value: unknown, name: string): RunResult {
  const format = formatOf(value)
  if (typeof format !== 'string' || !format.startsWith('yodel-'))
    throw usageError(`${name} is not a result of yodel.`, remedy)
  if (format !== resultFormat) {
    if (format === 'yodel-result-1')
      throw usageError(
        `${name} has the format ${format}; this reads ${resultFormat}, in which rates are those ` +
          'of the window, and sent is what the system took.',
        'Measure again.',
      )
    const other = /^yodel-(result|rounds)-/.test(format)
      ? 'Use the version of yodel that wrote it, or measure again.'
      : remedy
    throw usageError(`${name} has the format ${format}; this reads ${resultFormat}.`, other)
  }
  const broken = brokenKey(value, shapes)
  if (broken !== undefined) throw usageError(damagedAt(name, broken, 'a result'), remedy)
  return value as RunResult
}

const roundsRemedy = 'Measure again: `yodel bench ADDRESS --against ADDRESS --output FILE.json`.'

function checkRounds(value: unknown, name: string): Rounds {
  const broken = brokenKey(value, roundShapes)
  if (broken !== undefined) throw usageError(damagedAt(name, broken, 'rounds'), roundsRemedy)
  const document = value as Rounds
  document.figures.forEach(parseMetric)
  let lastMs = -Infinity
  for (const [index, round] of document.rounds.entries()) {
    for (const side of sides) checkResult(round[side], `${name} (round ${index + 1}, ${side})`)
    const second = sides.find(side => side !== round.first)!
    for (const side of [round.first, second]) {
      const startedMs = Date.parse(round[side].run.startedAt)
      // Runs from other times, put together by hand, are not an experiment.
      if (!(startedMs >= lastMs))
        throw usageError(`${name} is damaged: its rounds were not measured in turn.`, roundsRemedy)
      lastMs = startedMs
    }
  }
  return document
}
