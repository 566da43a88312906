/** The search for the highest rate: its result as plain JSON, and as text. */
import { formatCount, formatDuration, plural, formatRate } from '../vocabulary/units.ts'
import { wrap, type Canvas } from './bars.ts'
import { parseObjective } from './objective.ts'
import type { RunConditions } from './result.ts'
import type { Standing } from './standing.ts'
import { verdictAlone, verdictFirst, type Said } from './verdict-text.ts'

export const findMaxFormat = 'yodel-find-max-2'

/** One short run at one rate. */
export interface Probe {
  ratePerSecond: number
  /** Whether the objective held, nothing was lost, no connection failed, and the rate was kept. */
  held: boolean
  /** The measured value of the objective. */
  measuredText: string
  /** False if the generator was the limit. */
  valid: boolean
  /** Why it did not hold or is not valid, a sentence each. */
  because: string[]
  achievedPerSecond: number
  p50Us: number | null
  p99Us: number | null
  lost: number
  /** How long a single echo took just before, if the server was not idle again. */
  echoUs?: number
}

export interface FindMaxResult {
  format: typeof findMaxFormat
  objective: string
  /** The highest rate that held; 0 if none did. */
  ratePerSecond: number
  /** The lowest rate above it that did not hold; null if there was none. */
  failedPerSecond: number | null
  /** The two rates differ at most by this fraction, unless the search was stopped. */
  precision: number
  /** Whether the generator was the limit: then the maximum may be higher. */
  limitedByGenerator: boolean
  /** Whether it ended before it was done. */
  stopped: boolean
  /** Why it could not go on; null if nothing failed. */
  stoppedBecause: string | null
  /** What a closed loop reached at the start. */
  closedLoopPerSecond: number
  /** In the order in which they were made. */
  probes: Probe[]
  /** The conditions of the probe with the highest rate that held; null if there is none. */
  run: RunConditions | null
}

export function findMaxText(result: FindMaxResult, canvas: Canvas): string {
  const { columns } = canvas
  const found = conclusion(result)
  const sentences = [...found, ...remarks(result)]
  const said: Said = { standing: standingOf(result), because: found, passed: '' }
  const parts = [
    verdictFirst(said, canvas).lines,
    ...(result.probes.length > 0 ? [table(result, canvas)] : []),
    sentences.flatMap(sentence => wrap(sentence, columns)),
    ...(result.run
      ? [['To measure that rate again:', ...commandLines(result.run.reproduce, columns)]]
      : []),
    [verdictAlone(said, canvas)],
  ]
  return `${parts.map(lines => lines.join('\n')).join('\n\n')}\n`
}

/** If it is not known whether the server was the limit, the highest rate is not known. */
export function standingOf(result: FindMaxResult): Standing {
  if (result.stopped || result.limitedByGenerator || isBehind(result)) return 'INVALID'
  return result.ratePerSecond === 0 ? 'FAIL' : 'PASS'
}

/** Whether the lowest rate that failed did so only behind what the server still had to answer. */
function isBehind({ failedPerSecond, probes }: FindMaxResult): boolean {
  const failed = probes.filter(probe => probe.ratePerSecond === failedPerSecond)
  return failed.length > 0 && failed.every(({ echoUs }) => echoUs !== undefined)
}

/** What was found, in sentences; the first is the most important. */
export function conclusion(result: FindMaxResult): string[] {
  const { stopped, stoppedBecause } = result
  if (!stopped) return [foundText(result)]
  const why = stoppedBecause === null ? 'since the search was stopped' : 'since the search ended'
  return [
    `The highest rate is not known, ${why} before it was done.`,
    soFarText(result),
    ...(stoppedBecause === null ? [] : [stoppedBecause]),
  ]
}

function foundText(result: FindMaxResult): string {
  const { objective, ratePerSecond, failedPerSecond, limitedByGenerator } = result
  const rate = formatRate(ratePerSecond)
  if (failedPerSecond === null) return `${objective} held up to ${rate} at least.`
  const next = formatRate(failedPerSecond)
  const why = limitedByGenerator
    ? 'the generator was the limit'
    : isBehind(result) && 'the server was still busy with what had been sent before'
  if (ratePerSecond > 0)
    return why
      ? `${objective} held up to ${rate} at least: at ${next} ${why}.`
      : `${objective} held up to ${rate}, and not at ${next}.`
  return why
    ? `Nothing was found: even at the lowest rate ${why}.`
    : `${objective} did not hold even at ${next}.`
}

/** What the probes say that were complete when the search ended. */
function soFarText({ objective, ratePerSecond, probes }: FindMaxResult): string {
  if (probes.length === 0) return 'No rate was tried.'
  const rates = new Set(probes.map(probe => probe.ratePerSecond).toSorted((a, b) => a - b))
  const tried = `Tried: ${[...rates].map(formatRate).join(', ')}.`
  return ratePerSecond === 0
    ? `So far ${objective} held at no rate. ${tried}`
    : `So far ${objective} held up to ${formatRate(ratePerSecond)}. ${tried}`
}

function remarks(result: FindMaxResult): string[] {
  const { limitedByGenerator, closedLoopPerSecond, probes } = result
  const found: string[] = []
  const busy = probes.flatMap(({ echoUs }) => echoUs ?? [])
  if (busy.length > 0)
    found.push(
      `Before ${plural(busy.length, 'probe')} the server was still busy with what had been sent ` +
        `before: a single echo took up to ${formatDuration(Math.max(...busy) / 1e3)}. ` +
        'It may carry more; use a lower --depth.',
    )
  if (limitedByGenerator)
    found.push('The server may carry more. Use more threads, or another machine for the load.')
  if (closedLoopPerSecond > 0)
    found.push(
      `A closed loop over the same connections reached ${formatRate(closedLoopPerSecond)}.`,
    )
  return found
}

/** A line for a probe, while the search goes on. */
export const probeLine = ({ ratePerSecond, held, measuredText }: Probe): string =>
  `${formatRate(ratePerSecond)}: ${measuredText}, ${held ? 'held' : 'missed'}`

/** A command that can be copied although it is broken into lines. */
function commandLines(command: string, columns: number): string[] {
  // Within quotes a line cannot be broken.
  if (command.includes("'")) return [`  ${command}`]
  const lines = wrap(command, columns - 6)
  return lines.map(
    (line, n) => `${n > 0 ? '    ' : '  '}${line}${n < lines.length - 1 ? ' \\' : ''}`,
  )
}

/** A line for each probe, by rate; on a narrow terminal only what the objective is about. */
function table({ probes, objective }: FindMaxResult, { columns }: Canvas): string[] {
  const name = objectiveMetric(objective)
  const us = (value: number | null) => (value === null ? 'n/a' : formatDuration(value / 1e3))
  const others: [string, (probe: Probe) => string][] = [
    ['p50', ({ p50Us }) => us(p50Us)],
    ['p99', ({ p99Us }) => us(p99Us)],
    ['lost', ({ lost }) => formatCount(lost)],
  ]
  const shown = columns < 64 ? [] : others.filter(([other]) => other !== name)
  const rows = probes
    .toSorted((a, b) => a.ratePerSecond - b.ratePerSecond)
    .map(probe => [
      `${formatCount(probe.ratePerSecond)}/s`,
      probe.measuredText,
      ...shown.map(([, text]) => text(probe)),
      outcome(probe),
    ])
  const all = [['rate', name, ...shown.map(([other]) => other), ''], ...rows]
  const widths = all[0]!.map((_, column) => Math.max(...all.map(row => row[column]!.length)))
  const lines = all.map(row => {
    const cells = row.map((cell, column) =>
      column === row.length - 1 ? cell : cell.padStart(widths[column]!),
    )
    return `  ${cells.join('  ')}`.trimEnd()
  })
  return [plural(probes.length, 'probe'), ...lines]
}

function outcome({ held, valid }: Probe): string {
  if (held) return 'held'
  return valid ? 'not held' : 'generator too slow'
}

const objectiveMetric = (objective: string): string => parseObjective(objective).metric.name
