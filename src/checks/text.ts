/** What a check has found, for a terminal. */
import type { Canvas } from '../report/bars.ts'
import { coloured, type Colour } from '../report/tint.ts'
import { printable } from '../vocabulary/text.ts'
import { formatDuration, formatSize, plural } from '../vocabulary/units.ts'
import type { WholeCost } from './limits.ts'
import type { CheckResult, Finding, QuestionResult } from './result.ts'

type Terminal = Pick<Canvas, 'columns' | 'colour'>

/** `differs` is not red: it need not be wrong. */
const colours: Record<string, Colour> = {
  ok: 'green',
  differs: 'yellow',
  fails: 'red',
  invalid: 'yellow',
}
const tint = (word: string, canvas: Terminal): string =>
  coloured(word, colours[word] ?? 'yellow', canvas)

/** What the check may use, printed before it begins. */
export const costText = ({ atOnce, connections, bytes, ms, ...rest }: WholeCost): string => {
  const { silenceMs, questionMs } = rest
  const each = questionMs > 0 ? ` (a question ${formatDuration(questionMs)})` : ''
  const silences = silenceMs > 0 ? `, and ${formatDuration(silenceMs)} for silences` : ''
  return (
    `at most ${plural(connections, 'connection')}, ${atOnce} at once, ` +
    `${formatSize(bytes)} sent, ${formatDuration(ms - silenceMs)}${each}${silences}`
  )
}

/** How the check knows what the other end saw. */
const modes: Record<CheckResult['mode'], string> = {
  blind: 'blind: what the server saw is not known (use --control)',
  paired: 'paired: the server says what it saw',
}

export const headText = (address: string, mode: CheckResult['mode']): string =>
  `check ${address}, ${modes[mode]}\n`

/** A line for a question. */
export function questionLine({ name, outcome, said }: QuestionResult, canvas: Terminal): string {
  const head = `  ${name.padEnd(11)} ${outcome.padEnd(10)} `
  const text = wrapped(printable(said), head, canvas.columns)
  return `${outcome === 'not asked' ? text : text.replace(outcome, word => tint(word, canvas))}\n`
}

/** What follows the lines: the findings, the expectations, the verdict last. */
export function detailsText(result: CheckResult, canvas: Terminal): string {
  const { questions, expectations, verdict, because } = result
  const parts = questions.flatMap(({ name, findings }) =>
    findings.map(finding => findingText(name, finding, canvas)),
  )
  if (expectations.length > 0) {
    const width = Math.max(...expectations.map(({ expectation }) => expectation.length))
    const lines = expectations.map(
      ({ expectation, found, held }) =>
        `  ${held ? 'held  ' : 'missed'}  ${expectation.padEnd(width)}  found ${found}`,
    )
    parts.push(`expected\n${lines.join('\n')}\n`)
  }
  const asked = questions.filter(({ outcome }) => outcome !== 'not asked').length
  const used = `${plural(asked, 'question')} in ${formatDuration(result.seconds * 1e3)}`
  const reason = because.length === 0 ? 'nothing differs from a direct path' : because[0]!
  const more = because.length > 1 ? ` (and ${because.length - 1} more)` : ''
  const text = printable(`${verdict}: ${reason}${more}; ${used}`)
  const whole = wrapped(text, 'verdict  ', canvas.columns)
  const last = whole.includes('\n') && parts.length > 0 ? `verdict  ${verdict}: see above` : whole
  // A long text begins with the verdict, too.
  const all = [...(parts.length > 0 ? [`${whole}\n`] : []), ...parts, `${last}\n`]
  return `\n${all.join('\n')}`.replaceAll(
    `verdict  ${verdict}`,
    `verdict  ${tint(verdict, canvas)}`,
  )
}

function findingText(question: string, finding: Finding, { columns }: Terminal): string {
  const { outcome, said, evidence, where, effect, advice } = finding
  const rows: [string, string][] = [
    ...evidence.map((line, at): [string, string] => [at === 0 ? 'seen' : '', line]),
    ['where', where],
    ['effect', effect],
    ['look at', advice],
  ]
  const head = wrapped(printable(said), `${question} ${outcome}: `, columns)
  const lines = rows.map(([name, text]) =>
    wrapped(printable(text), `  ${name.padEnd(8)} `, columns),
  )
  return `${[head, ...lines].join('\n')}\n`
}

/** Wraps to this many columns; lines behind the first begin below its text. */
function wrapped(text: string, head: string, columns: number): string {
  const indent = ' '.repeat(Math.min(head.length, 24))
  const lines: string[] = []
  let line = head
  let isEmpty = true
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = indent
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line].join('\n')
}
