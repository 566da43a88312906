/** The runner: a first look, then each question within its bounds, then the verdict. */
import { formatAddress, type Address } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import { formatDuration } from '../vocabulary/units.ts'
import { versions } from '../vocabulary/machine.ts'
import type { Calling } from '../options/calling.ts'
import { hold, type Expectation } from './expectation.ts'
import { firstCost, lookAtFirst } from './first-look.ts'
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
import { nothingKnown, Scene, witnessesMax, type Known } from './scene.ts'
import { whereOf } from './sides.ts'

export interface Plan {
  readonly address: Address
  readonly calling: Calling
  readonly questions: readonly QuestionName[]
  readonly expectations: readonly Expectation[]
  readonly limits: Limits
}

/** Told what is found, as it is found. */
export interface Listener {
  onMode(mode: CheckResult['mode']): void
  onAnswer(result: QuestionResult): void
}

/** With the questions for traces, and what is asked again. */
function costWith(asked: Question, limits: Limits): Cost {
  const cost = asked.cost(limits)
  if (!asked.traced) return cost
  const times = asked.traced === 'again' ? 2 : 1
  return {
    atOnce: cost.atOnce + 1,
    connections: times * cost.connections + witnessesMax,
    bytes: times * cost.bytes,
    ms: times * cost.ms + witnessesMax * limits.silenceMs,
  }
}

/** What all of it may use at most. */
export function costOf({ address, questions, limits }: Plan): Cost {
  const costs = questions
    .map(questionOf)
    .filter(({ transports }) => transports.includes(address.transport))
    .map(asked => costWith(asked, limits))
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
  listener: Listener,
  signal: AbortSignal,
): Promise<CheckResult> {
  const startedAt = new Date().toISOString()
  const startedMs = performance.now()
  const known = nothingKnown()
  const used = { connections: 0, bytes: 0 }
  let { calling } = plan
  const within: Within = async (cost, work, traced = false) => {
    const over = new AbortController()
    const timer = setTimeout(() => over.abort(timeIsOver), cost.ms)
    const either = AbortSignal.any([signal, over.signal])
    await using scene = new Scene({ ...plan, calling, known }, cost, either, traced)
    try {
      const working = work(scene)
      // What goes on behind its time is of no interest.
      working.catch(() => {})
      return await Promise.race([working, aborted(either)])
    } catch (error) {
      throw over.signal.aborted ? timeIsOver : error
    } finally {
      clearTimeout(timer)
      used.connections += scene.used.connections
      used.bytes += scene.used.bytes
    }
  }
  calling = await within(firstCost, lookAtFirst)
  listener.onMode(known.paired ? 'paired' : 'blind')
  const results: Answered[] = []
  for (const name of plan.questions) {
    signal.throwIfAborted()
    const answered = await answer(name, plan, known, within)
    results.push(answered)
    listener.onAnswer(answered.result)
  }
  const all = results.map(({ result }) => result)
  if (all.some(isUneven)) doubtOthers(all)
  const expectations = plan.expectations.map(expectation => hold(expectation, all))
  return {
    format: checkFormat,
    address: formatAddress(plan.address),
    mode: known.paired ? 'paired' : 'blind',
    ...verdictOf(results, expectations, known),
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

const timeIsOver = new Error('the time of a question is over')

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const fail = () => reject(signal.reason as Error)
    if (signal.aborted) fail()
    else signal.addEventListener('abort', fail)
  })

type Within = <T>(cost: Cost, work: (scene: Scene) => Promise<T>, traced?: boolean) => Promise<T>

async function answer(
  name: QuestionName,
  plan: Plan,
  known: Known,
  within: Within,
): Promise<Answered> {
  const asked = questionOf(name)
  const startedMs = performance.now()
  const told = refusalOf(asked, plan, known) ?? (await asking(asked, plan, known, within))
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
  const outcome = worst(findings.map(finding => finding.outcome))
  const result: QuestionResult = {
    name,
    outcome,
    said: findings.find(finding => finding.outcome === outcome)?.said ?? told.said,
    findings,
    evidence: findings.flatMap(({ evidence }) => evidence),
    advice: [...new Set(findings.map(({ advice }) => advice))],
    figures: told.figures ?? {},
    seconds,
  }
  return { result, own: false }
}

const noEcho = 'nothing that is sent comes back'

function refusalOf(asked: Question, plan: Plan, known: Known): NotAsked | undefined {
  const { transport } = plan.address
  if (!asked.transports.includes(transport))
    return { notAsked: `it is for ${asked.transports.join(', ')}, not for ${transport}` }
  if (!known.echoes && !asked.withoutEcho) return { notAsked: known.refusal ?? noEcho }
  const refused = asked.refuses?.({ ...plan, known })
  return refused === undefined ? undefined : { notAsked: refused }
}

async function asking(
  asked: Question,
  plan: Plan,
  known: Known,
  within: Within,
): Promise<Answer | NotAsked> {
  const cost = { ...costWith(asked, plan.limits) }
  const ask = (traced: boolean) => within(cost, scene => asked.ask(scene), traced)
  try {
    const paired = known.paired ?? false
    const answer = await ask(paired && asked.traced === 'all')
    const isAgain = paired && asked.traced === 'again' && 'found' in answer
    if (!isAgain || answer.found.length === 0) return answer
    // A second look, for the other end's account alone: it may not fail the question.
    const before = { ...known }
    const again = await ask(true).catch(() => undefined)
    Object.assign(known, before)
    return again && 'found' in again ? joinedWith(answer, again) : answer
  } catch (error) {
    if (error === timeIsOver) {
      const ms = formatDuration(cost.ms)
      return { notAsked: `no answer was found within ${ms}`, own: true }
    }
    // One that cannot connect any more has its finding in that, unless it is our own fault.
    if (!(error instanceof UserError)) throw error
    const own = /descriptors/.test(error.message)
    return { notAsked: error.message.replace(/\.$/, ''), ...(own && { own }) }
  }
}

/** The findings of the first look, with what the second one found out about the same. */
const joinedWith = (answer: Answer, again: Answer): Answer => ({
  ...answer,
  found: answer.found.map(found => {
    const seen = again.found.find(({ name, side }) => name === found.name && side !== undefined)
    if (!seen) return found
    const { side, where, witness } = seen
    return { ...found, side, where, witness }
  }),
})

function findingOf(asked: Question, found: Found): Finding {
  const { outcome, effect, advice } = asked.findings[found.name]!
  const { name, said, side = 'unknown' } = found
  return {
    name,
    outcome,
    said,
    evidence: [...found.evidence, ...(found.witness === undefined ? [] : [found.witness])],
    side,
    where: found.where ?? whereOf(side),
    effect,
    advice,
  }
}

const worst = (outcomes: readonly Outcome[]): Outcome =>
  (['fails', 'differs'] as const).find(outcome => outcomes.includes(outcome)) ?? 'ok'

const isUneven = ({ findings }: QuestionResult): boolean =>
  findings.some(({ name }) => name === 'uneven')

/** Where connections are not alike, a question may have met a bad one by chance. */
function doubtOthers(results: readonly QuestionResult[]): void {
  for (const finding of results.flatMap(({ findings }) => findings))
    if (finding.name !== 'uneven' && finding.side === 'unknown')
      finding.where = 'connections are not alike here: perhaps only where this one was led'
}

function verdictOf(
  answered: readonly Answered[],
  expectations: CheckResult['expectations'],
  known: Known,
): { verdict: Verdict; because: string[] } {
  const results = answered.map(({ result }) => result)
  const failing = results
    .filter(({ outcome }) => outcome === 'fails')
    .toSorted((one, other) => Number(isUneven(other)) - Number(isUneven(one)))
  const differing = results.filter(({ outcome }) => outcome === 'differs')
  const missed = expectations.filter(({ held }) => !held)
  const own = answered.flatMap(({ result, own }) => (own ? [result] : []))
  const because = [
    ...failing.map(({ name, said }) => `${name} fails: ${said}`),
    ...missed.map(({ expectation, found }) => `expected ${expectation}, found ${found}`),
    ...own.map(({ name, said }) => `${name} could not be asked: ${said}`),
    ...differing.map(({ name, said }) => `${name} differs: ${said}`),
  ]
  const isSilent = failing.length === 0 && !known.echoes
  if (isSilent) because.unshift(known.refusal ?? noEcho)
  const verdict: Verdict =
    isSilent || failing.length + missed.length > 0
      ? 'fails'
      : own.length > 0
        ? 'invalid'
        : differing.length > 0
          ? 'differs'
          : 'ok'
  return { verdict, because }
}
