/** What a load did, for people. */
import { formatCount, formatSize, plural } from '../vocabulary/units.ts'
import type { Canvas } from './bars.ts'
import { ladderBlock, micros, shapeBlock } from './ladder.ts'
import { entry, labelColumns, labelled, listing, paragraph, table, usable } from './lines.ts'
import { printable } from '../vocabulary/text.ts'
import { distributionIn } from './result.ts'
import { resultHistograms } from '../metrics/counters.ts'
import type { DatagramFigures, Distribution, HttpFigures, RunResult } from './result.ts'
import { outageLines, outageTable } from './outages.ts'
import { churnShortfall, shortfall } from './reasons.ts'
import { isOpenLoop } from './head.ts'
import { ownParts } from './own.ts'
import { generatorParts } from './generator.ts'
import { partLines } from './slice-lines.ts'
import { stageLines } from './stages.ts'
import { saidOf, summaryOf } from './summary.ts'
import { verdictLast } from './verdict-text.ts'
import { wrongBlock } from './wrong.ts'

/**
 * The report in lines, each as wide as the terminal at most; only a long address and the command
 * that reproduces the run stay whole, on a line of their own.
 */
export function loadText(result: RunResult, options: Canvas): string {
  const canvas = usable(options)
  const { responseUs } = result.histograms
  const name = isOpenLoop(result) ? 'Response time' : 'Round trip'
  const summary = summaryOf(result, canvas)
  const blocks = [
    summary.lines,
    [...summary.left, ...amounts(result, canvas), ...behind(result, canvas)],
    times(result, canvas),
    outageTable(result, canvas),
    stageLines(result, canvas),
    partLines(result, canvas),
    ...(result.run.command === 'bench' && responseUs.length > 0
      ? [ladderBlock(name, responseUs, canvas), shapeBlock(name, responseUs, canvas)]
      : []),
    result.firstWrong ? wrongBlock(result.firstWrong, canvas) : [],
    conclusion(result, summary.isCut, canvas),
  ]
  const texts = blocks.filter(lines => lines.length > 0).map(lines => `${lines.join('\n')}\n`)
  return texts.join('\n')
}

/** Lines for amounts other than messages. */
function amounts(result: RunResult, canvas: Canvas): string[] {
  const { messages, bytes, churn, datagrams, http, corruption, rates } = result
  const byteParts = [`${formatSize(bytes.sent)} out`, `${formatSize(bytes.received)} back`]
  // Per second of the window, like the rate: without what came in the drain.
  const { achievedPerSecond } = rates
  if (messages.received > 0 && achievedPerSecond !== null)
    byteParts.push(`${formatSize((bytes.received / messages.received) * achievedPerSecond)}/s`)
  const lines = [
    ...(datagrams ? listing('datagrams', datagramParts(datagrams), canvas) : []),
    ...listing('bytes', byteParts, canvas),
  ]
  if (http && http.reconnects > 0)
    lines.push(...listing('reconnects', reconnectParts(http), canvas))
  lines.push(...outageLines(result, canvas))
  if (corruption) {
    const { corruptedBytes, flippedBits } = corruption
    const parts = [plural(corruptedBytes, 'byte'), `${plural(flippedBits, 'bit')} flipped`]
    lines.push(...listing('corrupted', parts, canvas))
  }
  if (churn) {
    const { planned, completed } = churn
    const parts = [`${formatCount(planned)} planned`, `${formatCount(completed)} completed`]
    lines.push(...listing('churn', parts, canvas))
  }
  return lines
}

/** A line for each plan (messages, short connections) that was not kept. */
function behind(result: RunResult, canvas: Canvas): string[] {
  return [shortfall(result), churnShortfall(result)].flatMap(short =>
    short === undefined ? [] : paragraph(short, canvas.columns, canvas),
  )
}

const datagramParts = (figures: DatagramFigures): string[] =>
  (['lost', 'late', 'duplicated', 'reordered', 'corrupted'] as const).map(
    name => `${formatCount(figures[name])} ${name}`,
  )

/** How often the server closed between messages, and how long the reconnects took. */
function reconnectParts({ reconnects, sentAgain, reconnectUs: { count, mean } }: HttpFigures) {
  const each = mean ?? 0
  return [
    formatCount(reconnects),
    `${plural(sentAgain, 'message')} sent again`,
    `${micros(each)} per reconnect`,
    `${micros(each * count)} in all; the times below include this`,
  ]
}

/** The percentiles of the table, in its order; where room is short, the highest ranks go first. */
const percentiles = [
  { title: 'p50', key: 'p50', rank: 1 },
  { title: 'p90', key: 'p90', rank: 5 },
  { title: 'p99', key: 'p99', rank: 3 },
  { title: 'p99.9', key: 'p999', rank: 4 },
  { title: 'p99.99', key: 'p9999', rank: 6 },
  { title: 'max', key: 'max', rank: 2 },
] as const

/** All distributions in a table, without the percentiles for which there are too few samples. */
function times(result: RunResult, canvas: Canvas): string[] {
  const { responseUs, serviceUs, latenessUs, connectUs, churn } = result
  const rows: [string, Distribution][] = isOpenLoop(result)
    ? [
        ['response', responseUs],
        ['service', serviceUs],
        ['lateness', latenessUs],
      ]
    : [['round trip', responseUs]]
  rows.push(['connect', connectUs])
  for (const name of resultHistograms('sometimes')) {
    const times = distributionIn(result, `${name}Us`)
    if (times) rows.push([name, times])
  }
  // Older results have the distribution only in `churn`.
  if (churn && !distributionIn(result, 'churnUs')) rows.push(['churn', churn.durationUs])
  const measured = rows.filter(([, { count }]) => count > 0)
  const none = responseUs.count === 0 ? labelled(rows[0]![0], ['no sample']) : []
  if (measured.length === 0) return none
  const own = new Set(result.generator.own?.map(({ figure }) => figure))
  const cell = (row: string, of: Distribution, { key, title }: (typeof percentiles)[number]) => {
    const us = of[key]
    const name = of === responseUs ? title : `${row}.${title}`
    return us === null ? '-' : `${micros(us)}${own.has(name) ? '*' : ''}`
  }
  const columns = percentiles
    .map(column => ({ ...column, cells: measured.map(([row, times]) => cell(row, times, column)) }))
    .filter(({ cells }) => cells.some(text => text !== '-'))
  const labels = measured.map(([label]) => label)
  return [...table(labels, columns, canvas), ...listing('* own', ownParts(result), canvas), ...none]
}

/** The failures, the notes on the figures, and at the end the verdict. */
function conclusion(result: RunResult, isCut: boolean, canvas: Canvas): string[] {
  const { errors, notes, generator, resolution, run } = result
  const failures = Object.entries(errors).filter(([, count]) => count > 0)
  const lines = listing(
    'failures',
    failures.length > 0 ? failures.flatMap(([name, n]) => failureParts(name, n, result)) : ['none'],
    canvas,
  )
  const said = saidOf(result)
  if (isCut) for (const why of said.because) lines.push(...entry('because', why, canvas))
  for (const note of notes) lines.push(...entry('note', note, canvas))
  if (generator.cpuShare !== null) {
    const busy = `busy for ${Math.round(generator.cpuShare * 100)} % of the time`
    const which = run.threads > 1 ? `${plural(run.threads, 'thread')}, the busiest` : '1 thread,'
    lines.push(...listing('generator', [`${which} ${busy}`, ...generatorParts(generator)], canvas))
  }
  const { relativeError, lowestUs, highestUs } = resolution
  const exactness =
    `${Number((relativeError * 100).toPrecision(2))} % of a value, from ${micros(lowestUs)} ` +
    `to ${micros(highestUs)}; clock of performance.now()`
  lines.push(...entry('resolution', exactness, canvas))
  if (result.verdict === 'fail') lines.push(...reproduction(run.reproduce, canvas))
  return [...lines, ...verdictLast(said, canvas)]
}

/** Each status on its own: `status 500: 4`. */
const failureParts = (name: string, count: number, { http }: RunResult): string[] =>
  name === 'status' && http
    ? Object.entries(http.statuses).map(([status, n]) => `status ${status}: ${formatCount(n)}`)
    : [`${name} ${formatCount(count)}`]

/** Whole, and alone if it is long, so that it can be copied; a message may have newlines. */
function reproduction(command: string, canvas: Canvas): string[] {
  // Not turned into ASCII for a terminal without UTF-8: it has to stay the same command.
  const whole = printable(command, { keepLines: true })
  const fits = labelColumns + whole.length <= canvas.columns && !whole.includes('\n')
  return fits ? labelled('reproduce', [whole]) : ['  reproduce', whole]
}
