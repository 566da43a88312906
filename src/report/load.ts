/** What a load did, for people. */
import type { SizeRange } from '../load/sizes.ts'
import { formatCount, formatDuration, formatRate, formatSize, plural } from '../vocabulary/units.ts'
import { ladderBlock, micros, shapeBlock } from './ladder.ts'
import { entry, flow, labelColumns, labelled, listing, paragraph } from './lines.ts'
import { shown, table, usable } from './lines.ts'
import { printable } from '../vocabulary/text.ts'
import { distributionIn } from './result.ts'
import { resultHistograms } from '../metrics/counters.ts'
import type { DatagramFigures, Distribution, HttpFigures, RunResult } from './result.ts'
import { outageLines, outageTable } from './outages.ts'
import { churnShortfall, rateUnknown, shortfall } from './reasons.ts'
import { ownParts } from './own.ts'
import { generatorParts } from './generator.ts'
import { partLines } from './parts.ts'
import { stageLines } from './stages.ts'
import { wrongBlock } from './wrong.ts'

export interface TextOptions {
  /** Width of the terminal; the text is made for 40 columns and more. */
  columns: number
  /** Whether block characters can be shown. */
  unicode: boolean
}

/**
 * The report in lines, each as wide as the terminal at most; only a long address and the command
 * that reproduces the run stay whole, on a line of their own.
 */
export function loadText(result: RunResult, options: TextOptions): string {
  const canvas = usable(options)
  const { responseUs } = result.histograms
  const name = isOpenLoop(result) ? 'Response time' : 'Round trip'
  const blocks = [
    invalidity(result, canvas),
    [...head(result, canvas), ...amounts(result, canvas), ...behind(result, canvas)],
    times(result, canvas),
    outageTable(result, canvas),
    stageLines(result, canvas),
    partLines(result, canvas),
    ...(result.run.command === 'bench' && responseUs.length > 0
      ? [ladderBlock(name, responseUs, canvas), shapeBlock(name, responseUs, canvas)]
      : []),
    result.firstWrong ? wrongBlock(result.firstWrong, canvas) : [],
    conclusion(result, canvas),
  ]
  const texts = blocks.filter(lines => lines.length > 0).map(lines => `${lines.join('\n')}\n`)
  return texts.join('\n')
}

/** First of all, so that these figures are not taken for the server's. */
const invalidity = ({ valid, invalidBecause }: RunResult, canvas: TextOptions): string[] =>
  valid ? [] : paragraph(`INVALID: ${invalidBecause.join(' ')}`.trimEnd(), canvas.columns, canvas)

/** The options that a report names; a result that was read from a file may lack some. */
interface Named {
  connections?: number | null
  depth?: number | null
  sizes?: SizeRange[] | null
  ratePerSecond?: number | null
  arrivals?: string | null
  idle?: number | null
  churnPerSecond?: number | null
}

const optionsOf = (result: RunResult): Named => result.run.options

/** In a closed loop there is no plan, so the response time is that of the service. */
const isOpenLoop = (result: RunResult): boolean =>
  typeof optionsOf(result).ratePerSecond === 'number'

/** What was sent, and to which address. */
function head(result: RunResult, canvas: TextOptions): string[] {
  const { depth, sizes, ratePerSecond, arrivals, idle, churnPerSecond } = optionsOf(result)
  const { connections = optionsOf(result).connections } = result.part ?? {}
  const { command, address, engine, threads } = result.run
  const parts: string[] = []
  if (result.part) parts.push(`slice ${result.part.slice} of ${result.part.of}`)
  if (typeof connections === 'number') parts.push(plural(connections, 'connection'))
  if (depth && depth > 1) parts.push(`${formatCount(depth)} in flight each`)
  if (idle) parts.push(`${formatCount(idle)} idle`)
  if (result.stages) parts.push(plural(result.stages.length, 'stage'))
  else if (ratePerSecond)
    parts.push(`${formatRate(ratePerSecond)} planned${arrivals === 'poisson' ? ' at random' : ''}`)
  if (churnPerSecond) parts.push(`${formatRate(churnPerSecond)} short connections`)
  parts.push(formatDuration(result.seconds * 1e3))
  if (sizes && sizes.length > 0) parts.push(sizesText(sizes))
  if (threads > 1) parts.push(plural(threads, 'thread'))
  parts.push(`engine ${engine}`)
  const title = shown(`yodel ${command} ${address}`, canvas)
  const oneLine = `${title}  ${parts.join(', ')}`
  if (oneLine.length <= canvas.columns) return [oneLine]
  return [title, ...flow(parts, canvas.columns - 2, canvas).map(line => `  ${line}`)]
}

function sizesText(sizes: SizeRange[]): string {
  const range = ({ minBytes, maxBytes }: Pick<SizeRange, 'minBytes' | 'maxBytes'>) =>
    minBytes === maxBytes
      ? formatSize(minBytes)
      : `${formatSize(minBytes)} to ${formatSize(maxBytes)}`
  if (sizes.length === 1) return `${range(sizes[0]!)} messages`
  const total = sizes.reduce((sum, { weight }) => sum + weight, 0)
  if (sizes.length <= 3) {
    const share = (size: SizeRange) => `${Math.round((size.weight / total) * 100)} % ${range(size)}`
    return `messages of ${sizes.map(share).join(' + ')}`
  }
  const minBytes = Math.min(...sizes.map(size => size.minBytes))
  const maxBytes = Math.max(...sizes.map(size => size.maxBytes))
  return `messages of ${sizes.length} sizes from ${range({ minBytes, maxBytes })}`
}

/** How much of it. */
function amounts(result: RunResult, canvas: TextOptions): string[] {
  const { messages, bytes, churn, datagrams, http, corruption, rates } = result
  const messageParts = [
    `${formatCount(messages.sent)} sent`,
    `${formatCount(messages.received)} ${corruption?.corruptedBytes ? 'came back' : 'verified'}`,
    `${formatCount(messages.lost)} lost`,
    `${formatCount(messages.wrong)} wrong`,
  ]
  if (messages.unfinished > 0)
    messageParts.splice(3, 0, `${formatCount(messages.unfinished)} unfinished`)
  // In a closed loop every message that is due is sent.
  if (isOpenLoop(result) || messages.planned !== messages.sent)
    messageParts.unshift(`${formatCount(messages.planned)} planned`)
  const byteParts = [`${formatSize(bytes.sent)} out`, `${formatSize(bytes.received)} back`]
  // Per second of the window, like the rate: without what came in the drain.
  const { achievedPerSecond } = rates
  if (messages.received > 0 && achievedPerSecond !== null)
    byteParts.push(`${formatSize((bytes.received / messages.received) * achievedPerSecond)}/s`)
  const lines = [
    ...listing('messages', messageParts, canvas),
    ...listing('rate', rateParts(result), canvas),
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

/** The plan was not kept: a line of its own for each. */
function behind(result: RunResult, canvas: TextOptions): string[] {
  return [shortfall(result), churnShortfall(result)].flatMap(short =>
    short === undefined ? [] : paragraph(short, canvas.columns, canvas),
  )
}

/** Rates that differ by no more than this are shown as one. */
const sameRateShare = 0.005

/** Three rates where they differ. */
function rateParts({ rates, generator }: RunResult): string[] {
  const { plannedPerSecond, sentPerSecond, achievedPerSecond } = rates
  const mark = generator.own?.some(({ figure }) => figure === 'rate') ? '*' : ''
  if (sentPerSecond === null || achievedPerSecond === null) return [`not known: ${rateUnknown}`]
  const all = [plannedPerSecond ?? sentPerSecond, sentPerSecond, achievedPerSecond]
  const most = Math.max(...all)
  const parts = [
    `${formatRate(sentPerSecond)} sent`,
    `${formatRate(achievedPerSecond)} achieved${mark}`,
  ]
  if (most - Math.min(...all) <= sameRateShare * most) return parts.slice(1)
  return plannedPerSecond === null ? parts : [`${formatRate(plannedPerSecond)} planned`, ...parts]
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
    `${micros(each)} each`,
    `${micros(each * count)} in all, within the times below`,
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
function times(result: RunResult, canvas: TextOptions): string[] {
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
  // Older results have it only there.
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
function conclusion(result: RunResult, canvas: TextOptions): string[] {
  const { errors, notes, generator, resolution, run } = result
  const failures = Object.entries(errors).filter(([, count]) => count > 0)
  const lines = listing(
    'failures',
    failures.length > 0 ? failures.flatMap(([name, n]) => failureParts(name, n, result)) : ['none'],
    canvas,
  )
  lines.push(...expectations(result, canvas))
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
  return [...lines, ...entry('verdict', verdict(result), canvas)]
}

/** Each status on its own: `status 500: 4`. */
const failureParts = (name: string, count: number, { http }: RunResult): string[] =>
  name === 'status' && http
    ? Object.entries(http.statuses).map(([status, n]) => `status ${status}: ${formatCount(n)}`)
    : [`${name} ${formatCount(count)}`]

/** A table of what was expected; where it is too wide, sentences. */
function expectations(result: RunResult, canvas: TextOptions): string[] {
  const width = Math.max(0, ...result.expectations.map(({ objective }) => objective.length))
  const rows = result.expectations.map(({ objective, measuredText, held }) =>
    shown(`${held ? 'held  ' : 'MISSED'}  ${objective.padEnd(width)}  ${measuredText}`, canvas),
  )
  const room = canvas.columns - labelColumns
  const fits = rows.every(row => row.length <= room)
  const lines = rows.flatMap(row =>
    fits ? [row] : paragraph(row.replaceAll(/ {2,}/g, ' '), room, canvas),
  )
  return labelled('expected', lines)
}

/** Whole, and alone if it is long, so that it can be copied; a message may have newlines. */
function reproduction(command: string, canvas: TextOptions): string[] {
  // Not in ASCII where that is all there is: it has to stay the same command.
  const whole = printable(command, { keepLines: true })
  const fits = labelColumns + whole.length <= canvas.columns && !whole.includes('\n')
  return fits ? labelled('reproduce', [whole]) : ['  reproduce', whole]
}

function verdict({ verdict, failedBecause, valid, messages, churn }: RunResult): string {
  const nothing = messages.received === 0 && !churn?.completed
  const right = nothing
    ? 'no message was sent, and nothing failed'
    : messages.lost + messages.unfinished > 0
      ? 'what came back was right, and no more was lost than may be'
      : 'every byte came back'
  const [words, dot] =
    verdict === 'fail' ? [`FAILED: ${failedBecause.join(' ')}`.trimEnd(), ''] : [right, '.']
  return valid ? words : `${words}${dot} The figures are INVALID: see above.`
}
