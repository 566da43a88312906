/** Saved results of a direction, and of latency under load, as they are read again. */
import { failureNames } from '../../metrics/meter.ts'
import { brokenKey, isDistribution, each, listOf, isNumber, isNumberOrNull } from '../predicates.ts'
import { record, isText, type Predicate } from '../predicates.ts'
import { loadedFormat, ranks, type LoadedResult } from './loaded.ts'
import { directionFormat, type DirectionResult } from './result.ts'

export type OfDirections = DirectionResult | LoadedResult

const machine = record({ system: isText, cpu: isText, cores: isNumber, memoryBytes: isNumber })
const always: Record<string, Predicate> = {
  verdict: isText,
  failedBecause: listOf(isText),
  expectations: listOf(record({ objective: isText, measuredText: isText })),
}
const told = { startedAt: isText, reproduce: isText, versions: record({}), machine }

/** A predicate for a key that may be missing. */
const perhaps =
  (shape: Predicate): Predicate =>
  value =>
    value === undefined || shape(value)

const side = perhaps(
  record({
    ...each(['receivedBytes', 'wrongBytes', 'underWayBytes'], isNumber),
    sentBytes: isNumberOrNull,
    bytesPerSecond: isNumberOrNull,
    firstWrong: value => value === null || record({ expected: isText, received: isText })(value),
    gapUs: isDistribution,
    tcp: perhaps(
      record({
        retransmits: isNumber,
        seconds: listOf(
          record(each(['second', 'retransmits', 'rttUs', 'windowBytes'], isNumberOrNull)),
        ),
      }),
    ),
    datagrams: perhaps(
      record({
        ...each(['sent', 'lost', 'lateUs'], isNumberOrNull),
        ...each(['received', 'duplicated', 'reordered', 'jitterUs'], isNumber),
        variationUs: isDistribution,
      }),
    ),
  }),
)

const direction: Record<string, Predicate> = {
  ...always,
  run: record({
    ...told,
    ...each(['command', 'address', 'engine', 'direction'], isText),
    ...each(['threads', 'flows', 'sizeBytes', 'warmupMs', 'seed'], isNumber),
    ...each(['ratePerSecond', 'durationMs'], isNumberOrNull),
  }),
  up: side,
  down: side,
  intervals: listOf(record({ second: isNumber })),
  errors: record(each(failureNames, isNumber)),
  ...each(['reasons', 'notes'], listOf(isText)),
}

const loaded: Record<string, Predicate> = {
  ...always,
  run: record({ ...told, ...each(['address', 'load'], isText), durationMs: isNumber }),
  ...each(['idleUs', 'loadedUs'], isDistribution),
  addedUs: record(each(ranks, perhaps(isNumber))),
  roundTripsPerMinute: isNumberOrNull,
  flows: record(direction),
}

const shapes = { [directionFormat]: direction, [loadedFormat]: loaded }

export const isOfDirections = (format: unknown): format is keyof typeof shapes =>
  typeof format === 'string' && Object.hasOwn(shapes, format)

/**
 * What is damaged in a saved result. The round trips of a loaded path are results of bench, and are
 * checked like them.
 */
export const brokenOfDirections = (
  value: unknown,
  format: keyof typeof shapes,
): string | undefined => brokenKey(value, shapes[format])
