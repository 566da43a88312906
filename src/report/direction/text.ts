/** What was sent in one direction, for people. */
import { failureNames } from '../../metrics/meter.ts'
import { formatCount, formatDuration, formatSize, plural } from '../../vocabulary/units.ts'
import { micros } from '../ladder.ts'
import { entry, flow, listing, shown, table, usable } from '../lines.ts'
import type { Canvas } from '../bars.ts'
import { verdictFirst, verdictLast, type Said } from '../verdict-text.ts'
import { expectationLines } from '../summary.ts'
import { formatBits } from './bits.ts'
import type { DirectionDatagrams, DirectionFigures } from './figures.ts'
import type { DirectionTcp } from './tcp.ts'
import type { DirectionResult } from './result.ts'

export function directionText(result: DirectionResult, options: Canvas): string {
  const canvas = usable(options)
  const { up, down } = result
  const said = directionSaid(result)
  const { lines: first, isCut } = verdictFirst(said, canvas)
  const blocks = [
    [...first, ...head(result, canvas)],
    ...(up ? [side('up', up, canvas)] : []),
    ...(down ? [side('down', down, canvas)] : []),
    conclusion(result, isCut, canvas),
  ]
  return blocks
    .filter(lines => lines.length > 0)
    .map(lines => `${lines.join('\n')}\n`)
    .join('')
}

function head({ run }: DirectionResult, canvas: Canvas): string[] {
  const title = shown(`yodel ${run.command} ${run.address}`, canvas)
  const parts = [
    run.direction === 'both' ? 'both directions' : `direction ${run.direction}`,
    plural(run.flows, 'flow'),
    ...(run.ratePerSecond === null
      ? []
      : [`${formatCount(run.ratePerSecond)} messages/s of ${formatSize(run.sizeBytes)}`]),
    ...(run.durationMs === null ? [] : [formatDuration(run.durationMs)]),
    ...(run.threads > 1 ? [plural(run.threads, 'thread')] : []),
    `engine ${run.engine}`,
  ]
  const oneLine = `${title}  ${parts.join(', ')}`
  if (oneLine.length <= canvas.columns) return [oneLine]
  return [title, ...flow(parts, canvas.columns - 2, canvas).map(line => `  ${line}`)]
}

function side(name: string, figures: DirectionFigures, canvas: Canvas): string[] {
  const { sentBytes, receivedBytes, bytesPerSecond, wrongBytes, gapUs } = figures
  const parts = [
    ...(bytesPerSecond === null ? [] : [formatBits(bytesPerSecond)]),
    ...(sentBytes === null ? [] : [`${formatSize(sentBytes)} sent`]),
    `${formatSize(receivedBytes)} arrived`,
    wrongBytes === 0 ? 'all verified' : `${plural(wrongBytes, 'byte')} wrong`,
  ]
  const times = (['p50', 'p99', 'max'] as const).flatMap(rank =>
    gapUs[rank] === null ? [] : [`${rank} ${micros(gapUs[rank])}`],
  )
  return [
    ...listing(name, parts, canvas),
    ...(figures.tcp ? tcpLines(figures.tcp, canvas) : []),
    ...(figures.datagrams ? datagramLines(figures.datagrams, canvas) : []),
    ...(times.length > 0
      ? listing('', [`between arrivals ${times[0]}`, ...times.slice(1)], canvas)
      : []),
  ]
}

/** How many seconds are shown one by one: the last ones. */
const secondsShown = 10

function tcpLines({ retransmits, seconds }: DirectionTcp, canvas: Canvas): string[] {
  const last = seconds.slice(-secondsShown)
  const total = `${plural(retransmits, 'segment')} sent again`
  const columns = [
    { title: 'sent again', cells: last.map(each => formatCount(each.retransmits)) },
    { title: 'rtt', cells: last.map(each => micros(each.rttUs)) },
    { title: 'window', cells: last.map(each => formatSize(each.windowBytes)) },
  ]
  return [
    ...listing('', [total], canvas),
    ...table(
      last.map(({ second }) => `second ${second + 1}`),
      columns.map((column, rank) => ({ ...column, rank })),
      canvas,
    ),
  ]
}

/** `12 lost (0.1 %)` */
export function lossText({ sent, lost }: DirectionDatagrams): string {
  if (sent === null || lost === null) return 'not known how many were lost'
  const percent = sent === 0 ? 0 : (lost / sent) * 100
  return `${formatCount(lost)} lost (${Number(percent.toPrecision(3))} %)`
}

function datagramLines(datagrams: DirectionDatagrams, canvas: Canvas): string[] {
  const { sent, received, wrongHeads, variationUs, jitterUs, lateUs } = datagrams
  const counts = [
    sent === null ? `${formatCount(received)} datagrams came` : `${formatCount(sent)} datagrams`,
    lossText(datagrams),
    ...(['duplicated', 'reordered'] as const).map(
      name => `${formatCount(datagrams[name])} ${name}`,
    ),
    ...(wrongHeads > 0 ? [`${formatCount(wrongHeads)} with a wrong header`] : []),
  ]
  const delays = (['p50', 'p99', 'max'] as const).flatMap(rank =>
    variationUs[rank] === null ? [] : [`${rank} ${micros(variationUs[rank])}`],
  )
  return [
    ...listing('', counts, canvas),
    ...listing(
      '',
      [
        `jitter ${micros(jitterUs)}`,
        `delay above the least ${delays[0] ?? '-'}`,
        ...delays.slice(1),
      ],
      canvas,
    ),
    ...(lateUs === null
      ? []
      : listing('', [`the sender itself was late: p99 ${micros(lateUs)}`], canvas)),
  ]
}

export const directionSaid = (
  result: Pick<DirectionResult, 'verdict' | 'failedBecause'>,
): Said => ({
  standing: result.verdict === 'pass' ? 'PASS' : 'FAIL',
  because: result.failedBecause,
  passed: 'every byte that arrived was right',
})

function conclusion(result: DirectionResult, isCut: boolean, canvas: Canvas): string[] {
  const failures = failureNames
    .filter(name => result.errors[name] > 0)
    .map(name => `${name} ${formatCount(result.errors[name])}`)
  const { firstWrong } = result.up?.firstWrong ? result.up : (result.down ?? { firstWrong: null })
  const wrong = firstWrong
    ? [
        ...entry('wrong', `expected ${firstWrong.expected}`, canvas),
        ...entry('', `received ${firstWrong.received}`, canvas),
      ]
    : []
  return [
    ...listing('failures', failures.length > 0 ? failures : ['none'], canvas),
    ...[...(isCut ? result.failedBecause : []), ...result.reasons].flatMap(reason =>
      entry('because', reason, canvas),
    ),
    ...wrong,
    ...expectationLines(result, canvas),
    ...result.notes.flatMap(note => entry('note', note, canvas)),
    ...(result.verdict === 'fail' ? entry('reproduce', result.run.reproduce, canvas) : []),
    ...verdictLast(directionSaid(result), canvas),
  ]
}
