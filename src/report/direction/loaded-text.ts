/** Latency under load, for people. */
import { formatCount, formatDuration, plural } from '../../vocabulary/units.ts'
import { barBlock, type Canvas } from '../bars.ts'
import { expectationLines } from '../summary.ts'
import { micros } from '../ladder.ts'
import { entry, listing, shown, table, usable } from '../lines.ts'
import type { Distribution } from '../result.ts'
import { grades, ranks, type LoadedResult } from './loaded.ts'
import { formatBits } from './bits.ts'
import type { Responsiveness } from './responsiveness.ts'
import { directionSaid } from './text.ts'
import { verdictFirst, verdictLast } from '../verdict-text.ts'

const cell = (us: number | null | undefined) => (us == null ? '-' : micros(us))

export function loadedText(result: LoadedResult, options: Canvas): string {
  const canvas = usable(options)
  const { run, idleUs, loadedUs, addedUs, flows } = result
  const columns = ranks.map((rank, n) => ({
    title: rank,
    rank: n,
    cells: [cell(idleUs[rank]), cell(loadedUs[rank]), cell(addedUs[rank])],
  }))
  const { lines: first, isCut } = verdictFirst(directionSaid(result), canvas)
  const blocks = [
    [
      ...first,
      shown(`yodel bench ${run.address}`, canvas),
      `  latency under load ${run.load}, ${formatDuration(run.durationMs)} each`,
      ...rates(result, canvas),
    ],
    table(['idle', 'loaded', 'added'], columns, canvas),
    barBlock('Median of a round trip', bars(idleUs, loadedUs), canvas),
    [
      ...conclusion(result, canvas),
      ...expectationLines(result, canvas),
      ...flows.notes.flatMap(note => entry('note', note, canvas)),
    ],
    verdictOf(result, isCut, canvas),
  ]
  return blocks.map(lines => `${lines.join('\n')}\n`).join('\n')
}

function rates({ flows }: LoadedResult, canvas: Canvas): string[] {
  return (['up', 'down'] as const).flatMap(side => {
    const figures = flows[side]
    if (!figures) return []
    const { bytesPerSecond, wrongBytes } = figures
    const rate = bytesPerSecond === null ? 'rate not known' : formatBits(bytesPerSecond)
    return listing(side, [rate, wrongBytes === 0 ? 'all verified' : 'WRONG BYTES'], canvas)
  })
}

const bars = (idle: Distribution, loaded: Distribution) =>
  [
    ['idle', idle.p50],
    ['loaded', loaded.p50],
  ].map(([label, us]) => ({
    label: label as string,
    value: (us as number | null) ?? undefined,
    text: cell(us as number | null),
  }))

function conclusion(result: LoadedResult, canvas: Canvas) {
  const { grade, addedUs, responsiveness } = result
  const found = grades.find(({ word }) => word === grade)
  const lines = found
    ? entry('bufferbloat', `${found.word}: ${found.meaning} (${cell(addedUs.p50)})`, canvas)
    : []
  const [name, value] = perMinute(result)
  const trips = responsiveness
    ? entry(name, `${value}${confidenceText(responsiveness)}`, canvas)
    : entry('per minute', `${value} round trips under load`, canvas)
  return [...lines, ...trips]
}

/**
 * The round trips per minute under load. On https this figure has a definition, and the name RPM.
 */
export function perMinute(result: LoadedResult): [name: string, value: string] {
  const { roundTripsPerMinute, responsiveness } = result
  const [name, count] = responsiveness
    ? ['RPM', responsiveness.rpm]
    : ['round trips per minute', roundTripsPerMinute]
  if (count !== null) return [name, formatCount(count)]
  return [name, responsiveness ? `not known: ${responsiveness.because}` : 'none']
}

const confidenceText = ({ rpm, confidence, foreignProbes }: Responsiveness): string =>
  rpm === null ? '' : `, confidence ${confidence}, ${plural(foreignProbes, 'new connection')}`

function verdictOf(result: LoadedResult, isCut: boolean, canvas: Canvas): string[] {
  const { verdict, failedBecause, run } = result
  return [
    ...(isCut ? failedBecause.flatMap(reason => entry('because', reason, canvas)) : []),
    ...(verdict === 'fail' ? entry('reproduce', run.reproduce, canvas) : []),
    ...verdictLast(directionSaid(result), canvas),
  ]
}
