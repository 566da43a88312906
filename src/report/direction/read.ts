/** Saved results of a direction, and of latency under load, as they are read again. */
import { failureNames } from '../../metrics/meter.ts'
import { brokenKey, distribution, each, listOf, number, numberOrNull } from '../shape.ts'
import { record, text, type Shape } from '../shape.ts'
import { loadedFormat, ranks, type LoadedResult } from './loaded.ts'
import { directionFormat, type DirectionResult } from './result.ts'

export type OfDirections = DirectionResult | LoadedResult

const machine = record({ system: text, cpu: text, cores: number, memoryBytes: number })
const always: Record<string, Shape> = {
  verdict: text,
  failedBecause: listOf(text),
  expectations: listOf(record({ objective: text, measuredText: text })),
}
const told = { startedAt: text, reproduce: text, versions: record({}), machine }

/** One that may be left out. */
const perhaps =
  (shape: Shape): Shape =>
  value =>
    value === undefined || shape(value)

const side = perhaps(
  record({
    ...each(['sentBytes', 'receivedBytes', 'wrongBytes', 'underWayBytes'], number),
    bytesPerSecond: numberOrNull,
    firstWrong: value => value === null || record({ expected: text, received: text })(value),
    gapUs: distribution,
    tcp: perhaps(
      record({
        retransmits: number,
        seconds: listOf(
          record(each(['second', 'retransmits', 'rttUs', 'windowBytes'], numberOrNull)),
        ),
      }),
    ),
    datagrams: perhaps(
      record({
        ...each(['sent', 'lost', 'duplicated', 'reordered', 'jitterUs', 'lateUs'], number),
        variationUs: distribution,
      }),
    ),
  }),
)

const direction: Record<string, Shape> = {
  ...always,
  run: record({
    ...told,
    ...each(['command', 'address', 'engine', 'direction'], text),
    ...each(['threads', 'flows', 'sizeBytes', 'warmupMs', 'seed'], number),
    ...each(['ratePerSecond', 'durationMs'], numberOrNull),
  }),
  up: side,
  down: side,
  intervals: listOf(record({ second: number })),
  errors: record(each(failureNames, number)),
  ...each(['reasons', 'notes'], listOf(text)),
}

const loaded: Record<string, Shape> = {
  ...always,
  run: record({ ...told, ...each(['address', 'load'], text), durationMs: number }),
  ...each(['idleUs', 'loadedUs'], distribution),
  addedUs: record(each(ranks, perhaps(number))),
  roundTripsPerMinute: numberOrNull,
  flows: record(direction),
}

const shapes = { [directionFormat]: direction, [loadedFormat]: loaded }

export const isOfDirections = (format: unknown): format is keyof typeof shapes =>
  typeof format === 'string' && Object.hasOwn(shapes, format)

/** What of it is damaged. The round trips of a loaded path are results, and checked as those. */
export const brokenOfDirections = (
  value: unknown,
  format: keyof typeof shapes,
): string | undefined => brokenKey(value, shapes[format])
