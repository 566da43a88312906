/** The runner: a first look, then each question within its bounds, then the verdict. */
import { formatAddress, type Address } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import { versions } from '../vocabulary/machine.ts'
import type { Calling } from '../options/calling.ts'
import { hold, type Expectation } from './expectation.ts'
import { lookAtFirst } from './first-look.ts'
import type { Cost, Limits } from './limits.ts'
import type { Answer, Found, NotAsked, Outcome, Question } from './question.ts'
import { questionOf, type QuestionName } from './questions.ts'
import {
  checkFormat,
  type CheckResult,
  type Finding,
  type QuestionResult,
  type Verdict,
} from './result.ts'
import { nothingKnown, Scene, type Known } from './scene.ts'
import { whereOf } from './sides.ts'

export interface Plan {
  readonly address: Address
  readonly calling: Calling
  readonly questions: readonly QuestionName[]
  readonly expectations: readonly Expectation[]
  readonly limits: Limits
}

/** What the first look costs. */
const firstCost: Cost = { atOnce: 1, connections: 1, bytes: 1_000, ms: 2_000 }

/** What all of it may use at most. */
export function costOf({ address, questions, limits }: Plan): Cost {
  const costs = questions
    .map(questionOf)
    .filter(({ transports }) => transports.includes(address.transport))
    .map(asked => asked.cost(limits))
  const all = [firstCost, ...costs]
  const sum = (of: (cost: Cost) => number) => all.reduce((total, cost) => total + of(cost), 0)
  return {
    atOnce: Math.max(...all.map(cost => cost.atOnce)),
    connections: sum(cost => cost.connections),
    bytes: sum(cost => cost.bytes),
    ms: sum(cost => cost.ms),
  }
}

/**
 * Asks one question after the other.
 * @throws UserError if no server answers
 */
export async function run(
  plan: Plan,
  onAnswer: (result: QuestionResult) => void,
  signal: AbortSignal,
): Promise<CheckResult> {
  const startedAt = new Date().toISOString()
  const startedMs = performance.now()
  const known = nothingKnown()
  const used = { connections: 0, bytes: 0 }
  const within = async <T>(cost: Cost, work: (scene: Scene) => Promise<T>): Promise<T> => {
    await using scene = new Scene({ ...plan, known }, cost, signal)
    try {
      return await work(scene)
    } finally {
      used.connections += scene.used.connections
      used.bytes += scene.used.bytes
    }
  }
  await within(firstCost, lookAtFirst)
  const results: Answered[] = []
  for (const name of plan.questions) {
    signal.throwIfAborted()
    const answered = await answer(name, plan, known, within)
    results.push(answered)
    onAnswer(answered.result)
  }
  const all = results.map(({ result }) => result)
  const expectations = plan.expectations.map(expectation => hold(expectation, all))
  return {
    format: checkFormat,
    address: formatAddress(plan.address),
    mode: 'blind',
    ...verdictOf(results, expectations),
    questions: all,
    expectations,
    cost: costOf(plan),
    used,
    startedAt,
    seconds: (performance.now() - startedMs) / 1e3,
    versions: versions(),
  }
}

interface Answered {
  result: QuestionResult
  /** It was this machine that could not answer. */
  own: boolean
}

type Within = <T>(cost: Cost, work: (scene: Scene) => Promise<T>) => Promise<T>

async function answer(
  name: QuestionName,
  plan: Plan,
  known: Known,
  within: Within,
): Promise<Answered> {
  const asked = questionOf(name)
  const startedMs = performance.now()
  const told = refusalOf(asked, plan, known) ?? (await asking(asked, plan, within))
  const seconds = (performance.now() - startedMs) / 1e3
  const none = { findings: [], evidence: [], advice: [], figures: {} }
  if ('notAsked' in told) {
    const result: QuestionResult = {
      name,
      outcome: 'not asked',
      said: told.notAsked,
      ...none,
      seconds,
    }
    return { result, own: told.own ?? false }
  }
  const findings = told.found.map(found => findingOf(asked, found))
  const result: QuestionResult = {
    name,
    outcome: worst(findings.map(({ outcome }) => outcome)),
    said: told.said,
    findings,
    evidence: findings.flatMap(({ evidence }) => evidence),
    advice: [...new Set(findings.map(({ advice }) => advice))],
    figures: told.figures ?? {},
    seconds,
  }
  return { result, own: false }
}

function refusalOf(asked: Question, plan: Plan, known: Known): NotAsked | undefined {
  const { transport } = plan.address
  if (!asked.transports.includes(transport))
    return { notAsked: `it is for ${asked.transports.join(', ')}, not for ${transport}` }
  if (!known.echoes && !asked.withoutEcho) return { notAsked: 'nothing that is sent comes back' }
  const refused = asked.refuses?.({ ...plan, known })
  return refused === undefined ? undefined : { notAsked: refused }
}

async function asking(asked: Question, plan: Plan, within: Within): Promise<Answer | NotAsked> {
  try {
    return await within(asked.cost(plan.limits), scene => asked.ask(scene))
  } catch (error) {
    // One that cannot connect any more has its finding in that, unless it is our own fault.
    if (!(error instanceof UserError)) throw error
    const own = /descriptors/.test(error.message)
    return { notAsked: error.message.replace(/\.$/, ''), ...(own && { own }) }
  }
}

function findingOf(asked: Question, found: Found): Finding {
  const { outcome, effect, advice } = asked.findings[found.name]!
  const { name, said, side = 'unknown' } = found
  return {
    name,
    outcome,
    said,
    evidence: [...found.evidence],
    side,
    where: found.where ?? whereOf(side),
    effect,
    advice,
  }
}

const worst = (outcomes: readonly Outcome[]): Outcome =>
  (['fails', 'differs'] as const).find(outcome => outcomes.includes(outcome)) ?? 'ok'

function verdictOf(
  answered: readonly Answered[],
  expectations: CheckResult['expectations'],
): { verdict: Verdict; because: string[] } {
  const results = answered.map(({ result }) => result)
  const failing = results.filter(({ outcome }) => outcome === 'fails')
  const differing = results.filter(({ outcome }) => outcome === 'differs')
  const missed = expectations.filter(({ held }) => !held)
  const own = answered.flatMap(({ result, own }) => (own ? [result] : []))
  const because = [
    ...failing.map(({ name, said }) => `${name} fails: ${said}`),
    ...missed.map(({ expectation, found }) => `expected ${expectation}, found ${found}`),
    ...own.map(({ name, said }) => `${name} could not be asked: ${said}`),
    ...differing.map(({ name, said }) => `${name} differs: ${said}`),
  ]
  const verdict: Verdict =
    failing.length + missed.length > 0
      ? 'fails'
      : own.length > 0
        ? 'invalid'
        : differing.length > 0
          ? 'differs'
          : 'ok'
  return { verdict, because }
}
