/** check(address): what is wrong with the path to an echo endpoint, and whose fault it is. */
import { toAddress, type Address } from './vocabulary/address.ts'
import { usageError } from './vocabulary/errors.ts'
import { listed } from './vocabulary/text.ts'
import { parseExpectation } from './checks/expectation.ts'
import { checkOptions, type CheckOptions } from './checks/options.ts'
import { checkLimits, type WholeCost } from './checks/limits.ts'
import { questionNames, questionOf, type QuestionName } from './checks/question-table.ts'
import type { CheckResult, QuestionResult } from './checks/result.ts'
import { costOf, run, type CheckEvents, type Inquiry } from './checks/run.ts'
import { validateOptions, resolve } from './options/form.ts'
import { askedFor, checkTransport } from './options/where.ts'
import { checkCalling } from './wire/tls/credentials.ts'

export { checkOptions, checkDefaults, type CheckOptions } from './checks/options.ts'

/** A check that runs. */
export interface CheckRun {
  /** What the check may use at most. */
  readonly cost: WholeCost
  /** Calls back when a server has answered, and with each answer as it is found. */
  follow(events: CheckEvents): void
  /** Ends it: `finished` rejects. */
  stop(): void
  /** Rejects with a UserError if no server answers. */
  readonly finished: Promise<CheckResult>
}

/**
 * Asks an echo endpoint, and the path to it, one question after the other.
 * @throws UserError if an option makes no sense
 */
export function check(address: string | Address, options: CheckOptions = {}): CheckRun {
  validateOptions(checkOptions, options)
  const inquiry = inquiryOf(toAddress(address), options)
  checkTransport(askedFor(checkOptions, options), inquiry.address.transport, 'client')
  checkCalling(inquiry.calling)
  const stopping = new AbortController()
  const followers = new Set<CheckEvents>()
  const all: CheckEvents = {
    onMode: mode => followers.forEach(events => events.onMode(mode)),
    onAnswer: result => followers.forEach(events => events.onAnswer(result)),
  }
  const finished = run(inquiry, all, stopping.signal)
  // The caller may await it later, so a rejection must not count as unhandled.
  finished.catch(() => {})
  return {
    cost: costOf(inquiry),
    follow: events => void followers.add(events),
    stop: () => stopping.abort(),
    finished,
  }
}

function inquiryOf(address: Address, options: CheckOptions): Inquiry {
  const { only, skip = [], thorough, maxConnections, ...wanted } = resolve(checkOptions, options)
  const expectations = (wanted.expect ?? []).map(parseExpectation)
  const questions = questionNames.filter(
    name => (only?.includes(name) ?? true) && !skip.includes(name),
  )
  if (questions.length === 0)
    throw usageError('No question is left.', `The questions are ${questionNames.join(', ')}.`)
  checkSense(questions, address)
  for (const { text, question } of expectations)
    if (!questions.includes(question))
      throw usageError(`--expect '${text}' needs the question ${question}.`, 'Do not leave it out.')
  const idleMs = options.idleMs ?? Math.max(wanted.idleMs, expectedIdle(expectations))
  const limits = checkLimits(thorough, idleMs, maxConnections)
  const { calling, control } = wanted
  return { address, calling, control, questions, expectations, limits }
}

/** @throws UserError if the transport of the address has none of these questions */
function checkSense(questions: readonly QuestionName[], { transport }: Address) {
  const isFor = (name: QuestionName) => questionOf(name).transports.includes(transport)
  if (questions.some(isFor)) return
  const fitting = questionNames.filter(isFor).join(',')
  const [verb] = questions.length === 1 ? ['is'] : ['are']
  throw usageError(
    `${listed(questions)} ${verb} not for ${transport}.`,
    `Type --only ${fitting}, or some of these.`,
  )
}

/** The longest silence that an expectation names: `idle` has to try it. */
const expectedIdle = (expectations: Inquiry['expectations']): number =>
  Math.max(0, ...expectations.map(({ figure, limit }) => (figure === 'idle' ? limit : 0)))

export type { QuestionName, CheckResult, QuestionResult }
