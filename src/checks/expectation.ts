/** Expectations such as `idle>=15m` or `half-close=ok`: parsed, and compared with the answers. */
import { usageError } from '../vocabulary/errors.ts'
import {
  exactPercent,
  formatCount,
  formatDuration,
  formatRate,
  formatSize,
  parseCount,
  parseDuration,
  parsePercent,
  parseRate,
  parseSize,
} from '../vocabulary/units.ts'
import type { AnswerFigureKind, Outcome } from './question.ts'
import { questionNames, questionOf, type QuestionName } from './question-table.ts'
import type { ExpectationResult, QuestionResult } from './result.ts'

export interface Expectation {
  /** The text as the user wrote it. */
  readonly text: string
  readonly question: QuestionName
  /** The figure that it limits; undefined: the outcome has to be `ok`. */
  readonly figure?: string
  readonly operator: ExpectationOperator
  readonly limit: number
}

const operators = {
  '<': (value: number, limit: number) => value < limit,
  '<=': (value: number, limit: number) => value <= limit,
  '>': (value: number, limit: number) => value > limit,
  '>=': (value: number, limit: number) => value >= limit,
  '=': (value: number, limit: number) => value === limit,
}
type ExpectationOperator = keyof typeof operators

const kinds: Record<
  AnswerFigureKind,
  { parse: (text: string) => number; format: (value: number) => string }
> = {
  duration: { parse: parseDuration, format: formatDuration },
  size: { parse: parseSize, format: formatSize },
  count: { parse: parseCount, format: formatCount },
  fraction: { parse: parsePercent, format: exactPercent },
  rate: { parse: parseRate, format: formatRate },
}

/** Every figure by its name, and which question finds it out. */
export const expectedFigures: ReadonlyMap<
  string,
  { question: QuestionName; kind: AnswerFigureKind }
> = new Map(
  questionNames.flatMap(question =>
    Object.entries(questionOf(question).figures).map(([name, kind]) => [name, { question, kind }]),
  ),
)

export const formatAnswerFigure = (kind: AnswerFigureKind, value: number): string =>
  kinds[kind].format(value)

const hint = () =>
  `Write QUESTION=ok, or a figure and its limit: ${[...expectedFigures.keys()].join(', ')}; ` +
  "for example 'idle>=15m' or 'half-close=ok'."

/** @throws UserError if it makes no sense */
export function parseExpectation(text: string): Expectation {
  const match = /^\s*([a-z][a-z0-9.-]*)\s*(<=|>=|<|>|=)\s*(\S+)\s*$/.exec(text)
  if (!match) throw usageError(`'${text}' is not an expectation.`, hint())
  const [, name, operator, value] = match as unknown as [
    string,
    string,
    ExpectationOperator,
    string,
  ]
  const asked = questionNames.find(question => question === name)
  if (asked && operator === '=' && value === 'ok')
    return { text, question: asked, operator, limit: 0 }
  const figure = expectedFigures.get(name)
  if (!figure) throw usageError(`There is no figure '${name}' to expect something of.`, hint())
  const limit = kinds[figure.kind].parse(value)
  return { text, question: figure.question, figure: name, operator, limit }
}

/** If the answer is not known, the expectation is missed. */
export function judgeExpectation(
  expectation: Expectation,
  results: readonly QuestionResult[],
): ExpectationResult {
  const { text, question, figure, operator, limit } = expectation
  const result = results.find(({ name }) => name === question)
  const outcome: Outcome = result?.outcome ?? 'not asked'
  if (figure === undefined) return { expectation: text, found: outcome, held: outcome === 'ok' }
  const value = result?.figures[figure]
  if (value === null || value === undefined)
    return { expectation: text, found: outcome === 'not asked' ? outcome : 'unknown', held: false }
  const { kind } = expectedFigures.get(figure)!
  return {
    expectation: text,
    found: formatAnswerFigure(kind, value),
    held: operators[operator](value, limit),
  }
}
