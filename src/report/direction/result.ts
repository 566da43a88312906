/** The result of what was sent in one direction, as plain JSON: what `--json` prints. */
import type {
  Direction,
  ThreadFlowsResult,
  FoundDirection,
  FoundFlow,
} from '../../load/direction/thread-flows.ts'
import { failureNames, type FailureName } from '../../metrics/meter.ts'
import { Histogram } from '../../metrics/histogram.ts'
import { readHistogram } from '../../metrics/saved.ts'
import type { Machine } from '../../vocabulary/machine.ts'
import { formatSize, plural } from '../../vocabulary/units.ts'
import type { TracedTimes, DatagramsSeen } from '../../wire/direction/trace.ts'
import type { ObjectiveResult } from '../result.ts'
import { distribution } from '../summarize.ts'
import type { DirectionDatagrams, DirectionFigures } from './figures.ts'
import { meetsDirection, missedOf, type DirectionObjective } from './objective.ts'
import { tcpOf } from './tcp.ts'
import { bytesAt, rateOf, secondsOf, type MarkedWindow } from './received-rates.ts'

export const directionFormat = 'yodel-direction-1'

export interface DirectionConditions {
  command: string
  address: string
  engine: string
  threads: number
  direction: Direction
  flows: number
  sizeBytes: number
  ratePerSecond: number | null
  warmupMs: number
  durationMs: number | null
  seed: number
  reproduce: string
  startedAt: string
  versions: Record<string, string>
  machine: Machine
}

export interface DirectionInterval {
  /** When it began, in seconds after the end of the warm-up. */
  second: number
  upBytes?: number
  downBytes?: number
}

export interface DirectionResult {
  format: typeof directionFormat
  verdict: 'pass' | 'fail'
  failedBecause: string[]
  /** Objectives, and what became of them. */
  expectations: ObjectiveResult[]
  run: DirectionConditions
  up?: DirectionFigures
  down?: DirectionFigures
  intervals: DirectionInterval[]
  /** Flows of which the end did not come before the drain was over. */
  unfinished: number
  errors: Record<FailureName, number>
  reasons: string[]
  notes: string[]
}

type OneDirection = 'up' | 'down'

export function directionResult(
  run: DirectionConditions,
  threadResults: readonly ThreadFlowsResult[],
  objectives: readonly DirectionObjective[] = [],
): DirectionResult {
  const flows = threadResults.flatMap(one => one.flows)
  const window: MarkedWindow = { fromMs: run.warmupMs, lengthMs: run.durationMs ?? Infinity }
  const sides = (['up', 'down'] as const).filter(
    side => run.direction === 'both' || run.direction === side,
  )
  const figures = Object.fromEntries(sides.map(side => [side, figuresOf(flows, side, window)]))
  const errors = Object.fromEntries(failureNames.map(name => [name, 0])) as never as Record<
    FailureName,
    number
  >
  for (const { failure } of flows) if (failure) errors[failure]++
  const unfinished = flows.filter(flow => flow.unfinished && !flow.failure).length
  const failedBecause = [
    ...sides.flatMap(side => wrongs(side, figures[side]!)),
    ...Object.entries(errors)
      .filter(([, count]) => count > 0)
      .map(([name, count]) => `${plural(count, 'flow')} failed: ${name}.`),
    ...unfinishedText(unfinished),
  ]
  const expectations = objectives.map(objective => meetsDirection(objective, figures))
  failedBecause.push(...missedOf(expectations))
  const notes = sides.flatMap(side => notesOf(side, figures[side]!))
  return {
    format: directionFormat,
    verdict: failedBecause.length === 0 ? 'pass' : 'fail',
    failedBecause,
    expectations,
    run,
    ...figures,
    intervals: intervalsOf(flows, sides, window),
    unfinished,
    errors,
    reasons: [...new Set(flows.flatMap(({ reason }) => (reason === undefined ? [] : [reason])))],
    notes,
  }
}

function figuresOf(
  flows: readonly FoundFlow[],
  side: OneDirection,
  window: MarkedWindow,
): DirectionFigures {
  const found = flows.map(flow => ({ ...flow[side]!, number: flow.flow }))
  const sum = (of: (each: FoundDirection) => number) =>
    found.reduce((total, each) => total + of(each), 0)
  const gaps = new Histogram()
  for (const { report } of found) if (report?.end) gaps.add(readHistogram(report.end.gaps))
  const first = found.find(({ report }) => report?.end?.firstWrong)
  const rates = found.map(({ report, marks, awaitedMs }) =>
    rateOf(report, marks, window, awaitedMs),
  )
  const isKnown = rates.every(rate => rate !== undefined)
  const isSaid = found.every(({ sentBytes }) => sentBytes !== undefined)
  const datagrams = datagramsOf(found)
  const absent = ({ sentBytes, report }: FoundDirection) =>
    datagrams || sentBytes === undefined ? 0 : Math.max(0, sentBytes - (report?.bytes ?? 0))
  const tcp = tcpOf(found.map(({ tcp = [] }) => tcp))
  return {
    ...(datagrams && { datagrams }),
    ...(tcp && { tcp }),
    sentBytes: isSaid ? sum(({ sentBytes = 0 }) => sentBytes) : null,
    receivedBytes: sum(({ report }) => report?.bytes ?? 0),
    bytesPerSecond: isKnown ? rates.reduce((total: number, rate) => total + rate, 0) : null,
    wrongBytes: sum(({ report }) => report?.wrongBytes ?? 0),
    firstWrong: first ? { flow: first.number, ...first.report!.end!.firstWrong! } : null,
    underWayBytes: sum(each => (each.ended ? 0 : absent(each))),
    missingBytes: sum(each => (each.ended ? absent(each) : 0)),
    gapUs: distribution(gaps),
  }
}

/** The figures of datagrams; undefined for a stream. */
function datagramsOf(found: readonly FoundDirection[]): DirectionDatagrams | undefined {
  const seen = found.flatMap(({ report }) => report?.end?.datagrams ?? [])
  if (seen.length === 0) return undefined
  const sum = (of: (each: DatagramsSeen) => number) =>
    seen.reduce((total, each) => total + of(each), 0)
  const merged = (of: (each: DatagramsSeen) => TracedTimes) => {
    const all = new Histogram()
    for (const each of seen) all.add(readHistogram(of(each)))
    return distribution(all)
  }
  const received = sum(({ measured }) => measured)
  const wrongHeads = sum(({ wrongHeads }) => wrongHeads)
  const isSaid = found.every(({ measured }) => measured !== undefined)
  const sent = isSaid ? found.reduce((total, { measured = 0 }) => total + measured, 0) : null
  return {
    sent,
    received,
    lost: sent === null ? null : Math.max(0, sent - received - wrongHeads),
    duplicated: sum(({ duplicated }) => duplicated),
    reordered: sum(({ reordered }) => reordered),
    wrong: sum(({ wrong }) => wrong),
    wrongHeads,
    jitterUs: Math.max(...seen.map(({ jitterUs }) => jitterUs)),
    variationUs: merged(({ variation }) => variation),
    betweenUs: merged(({ between }) => between),
    lateUs: isSaid ? Math.max(...found.map(({ lateUs = 0 }) => lateUs)) : null,
  }
}

/** A stream that was cut off shows nothing about the bytes that were under way. */
export const unfinishedText = (flows: number): string[] =>
  flows > 0
    ? [`The end of ${plural(flows, 'flow')} did not come before the run was over (see --drain).`]
    : []

/** The reasons of a failure: wrong bytes, missing bytes, or nothing came at all. */
function wrongs(
  side: OneDirection,
  { wrongBytes, missingBytes, receivedBytes, firstWrong, datagrams }: DirectionFigures,
): string[] {
  const failed: string[] = []
  if (wrongBytes > 0)
    failed.push(
      `${plural(wrongBytes, 'byte')} ${side} came wrong` +
        (firstWrong ? `, the first at byte ${firstWrong.offset} of flow ${firstWrong.flow}.` : '.'),
    )
  if (datagrams && datagrams.wrongHeads > 0)
    failed.push(
      `${plural(datagrams.wrongHeads, 'datagram')} ${side} came with a wrong header ` +
        '(its number, or when it was sent).',
    )
  if (missingBytes > 0)
    failed.push(
      `${plural(missingBytes, 'byte')} ${side} never came, but the end of the stream did.`,
    )
  if (receivedBytes === 0 && wrongBytes === 0) failed.push(`Nothing came ${side}.`)
  return failed
}

const notesOf = (side: OneDirection, { underWayBytes }: DirectionFigures): string[] =>
  underWayBytes > 0
    ? [`${formatSize(underWayBytes)} ${side} were sent, and it is not known whether they came.`]
    : []

/** Whole seconds of the window, of all flows together. */
function intervalsOf(
  flows: readonly FoundFlow[],
  sides: readonly OneDirection[],
  window: MarkedWindow,
) {
  const seconds = Math.max(
    0,
    ...sides.flatMap(side =>
      flows.map(flow => {
        const { report, marks, awaitedMs } = flow[side]!
        return secondsOf(report, marks, window, awaitedMs)
      }),
    ),
  )
  return Array.from({ length: seconds }, (_, second): DirectionInterval => {
    const interval: DirectionInterval = { second }
    for (const side of sides) {
      const at = (ms: number) =>
        flows.reduce((sum, flow) => {
          const { report, marks } = flow[side]!
          return sum + bytesAt(report, marks, window.fromMs + ms)
        }, 0)
      interval[`${side}Bytes`] = Math.round(at((second + 1) * 1e3) - at(second * 1e3))
    }
    return interval
  })
}
