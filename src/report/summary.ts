/** The first ten lines of a report: the verdict, what was measured, and the figures that matter. */
import { formatCount, formatRate } from '../vocabulary/units.ts'
import type { Canvas } from './bars.ts'
import { headLines, isOpenLoop } from './head.ts'
import { micros } from './ladder.ts'
import { labelColumns, labelled, listing, paragraph, shown } from './lines.ts'
import { rateUnknown } from './reasons.ts'
import type { ObjectiveResult, RunResult } from './result.ts'
import { standing } from './standing.ts'
import { tinted } from './tint.ts'
import { verdictFirst, type Said } from './verdict-text.ts'

const linesMax = 10

export interface Summary {
  lines: string[]
  /** Lines for which there was no room; they are shown among the details. */
  left: string[]
  /** Whether reasons are missing in the verdict. */
  isCut: boolean
}

type SummaryPiece = 'title' | 'parts' | 'messages' | 'rate' | 'times' | 'expected' | 'held'

/**
 * The possible contents of a summary, the fullest first. Parts that are left out are shown among
 * the details, or shortened.
 */
const choices: readonly (readonly SummaryPiece[])[] = [
  ['title', 'parts', 'messages', 'rate', 'times', 'expected'],
  ['title', 'parts', 'messages', 'rate', 'times', 'held'],
  ['title', 'messages', 'rate', 'times', 'held'],
  ['title', 'messages', 'rate', 'held'],
  ['title', 'messages', 'held'],
]

export function summaryOf(result: RunResult, canvas: Canvas): Summary {
  const { lines: verdict, isCut } = verdictFirst(saidOf(result), canvas)
  const { expectations } = result
  const kept = expectations.filter(({ held }) => held).length
  const all: Record<SummaryPiece, string[]> = {
    ...headLines(result, canvas),
    messages: listing('messages', messageParts(result), canvas),
    rate: listing('rate', rateParts(result), canvas),
    times: timeLine(result, canvas),
    expected: expectationLines(result, canvas),
    held:
      expectations.length === 0
        ? []
        : listing('expected', [`${kept} of ${formatCount(expectations.length)} held`], canvas),
  }
  const linesOf = (names: readonly SummaryPiece[]) => names.flatMap(name => all[name])
  const chosen =
    choices.find(names => verdict.length + linesOf(names).length <= linesMax) ?? choices.at(-1)!
  const pieces: SummaryPiece[] = ['parts', 'messages', 'rate', 'expected']
  const rest = pieces.filter(name => !chosen.includes(name))
  return {
    lines: [...verdict, ...linesOf(chosen)],
    left: rest.flatMap(name => all[name]),
    isCut,
  }
}

/** If a run is not valid, the server's failures are reported, but do not decide. */
export function saidOf(result: RunResult): Said {
  const { failedBecause, invalidBecause } = result
  const is = standing(result)
  const because =
    is === 'FAIL'
      ? [
          ...failedBecause,
          ...(result.valid ? [] : ['The figures are INVALID, too.', ...invalidBecause]),
        ]
      : is === 'INVALID'
        ? [...invalidBecause, ...(failedBecause.length > 0 ? ['Besides:', ...failedBecause] : [])]
        : []
  return { standing: is, because, passed: passedText(result) }
}

function passedText({ messages, churn }: RunResult): string {
  if (messages.received === 0 && !churn?.completed) return 'no message was sent, and nothing failed'
  return messages.lost + messages.unfinished > 0
    ? 'what came back was right, and no more was lost than allowed'
    : 'every byte came back'
}

function messageParts(result: RunResult): string[] {
  const { messages, corruption } = result
  const parts = [
    `${formatCount(messages.sent)} sent`,
    `${formatCount(messages.received)} ${corruption?.corruptedBytes ? 'came back' : 'verified'}`,
    `${formatCount(messages.lost)} lost`,
    `${formatCount(messages.wrong)} wrong`,
  ]
  if (messages.unfinished > 0) parts.splice(3, 0, `${formatCount(messages.unfinished)} unfinished`)
  // In a closed loop every message that is due is sent.
  if (isOpenLoop(result) || messages.planned !== messages.sent)
    parts.unshift(`${formatCount(messages.planned)} planned`)
  return parts
}

/** Rates that differ by no more than this are shown as one. */
const sameRateShare = 0.005

/** Up to three rates: equal ones are shown once. */
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

/** The times that people ask for first; all others are in the table. */
function timeLine(result: RunResult, canvas: Canvas): string[] {
  const { responseUs, generator } = result
  const own = new Set(generator.own?.map(({ figure }) => figure))
  const parts = (['p50', 'p99', 'max'] as const).flatMap(name => {
    const us = responseUs[name]
    return us === null ? [] : [`${name} ${micros(us)}${own.has(name) ? '*' : ''}`]
  })
  return listing(isOpenLoop(result) ? 'response' : 'round trip', parts, canvas)
}

/** `INVALID`: missed, but perhaps only because of the generator. */
const wordOf = ({ held, ownFault }: ObjectiveResult): string =>
  held ? 'held' : ownFault ? 'INVALID' : 'MISSED'

/** A table of the objectives; sentences if the table is too wide. */
export function expectationLines(
  { expectations }: Pick<RunResult, 'expectations'>,
  canvas: Canvas,
): string[] {
  const widthOf = (text: (expectation: ObjectiveResult) => string) =>
    Math.max(0, ...expectations.map(expectation => text(expectation).length))
  const [words, names] = [widthOf(wordOf), widthOf(({ objective }) => objective)]
  const rows = expectations.map(expectation => {
    const { objective, measuredText } = expectation
    const word = wordOf(expectation).padEnd(Math.max(words, 'MISSED'.length))
    return shown(`${word}  ${objective.padEnd(names)}  ${measuredText}`, canvas)
  })
  const room = canvas.columns - labelColumns
  const fits = rows.every(row => row.length <= room)
  const lines = rows.flatMap(row => {
    const [first = '', ...others] = fits
      ? [row]
      : paragraph(row.replaceAll(/ {2,}/g, ' '), room, canvas)
    return [tinted(first, canvas), ...others]
  })
  return labelled('expected', lines)
}
