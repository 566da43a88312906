/** Asks one question, if it makes sense here, and makes a result of its answer. */
import type { Address } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import { formatDuration } from '../vocabulary/units.ts'
import type { Calling } from '../options/calling.ts'
import type { Control } from './control.ts'
import type { Cost, Limits } from './limits.ts'
import type { Answer, Found, NotAsked, Outcome, Question } from './question.ts'
import { questionOf, type QuestionName } from './question-table.ts'
import type { Finding, QuestionResult } from './result.ts'
import { witnessesMax, type KnownPath, type Scene } from './scene.ts'
import { whereOf } from './sides.ts'
import { noEcho, type Answered } from './verdict.ts'

/** What a question is asked with. */
export interface QuestionTools {
  readonly address: Address
  readonly calling: Calling
  readonly limits: Limits
  readonly known: KnownPath
  readonly control: Control | undefined
  /** Runs `work` within the bounds of that cost, and within this much time. */
  readonly within: <T>(
    cost: Cost,
    leftMs: number,
    work: (scene: Scene) => Promise<T>,
    traced?: boolean,
  ) => Promise<T>
}

/** A question has run out of time. */
export const timeIsOver = new Error('a question ran out of time')
/** The same, while it waited for a connection. */
export const noConnection = new Error('a question ran out of time, and no connection was made')

/** Includes the questions for traces, and what is asked again. */
export function costWith(asked: Question, limits: Limits): Cost {
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

export async function answer(
  name: QuestionName,
  with_: QuestionTools,
  leftMs: number,
): Promise<Answered> {
  const asked = questionOf(name)
  const startedMs = performance.now()
  const told = refusalOf(asked, with_) ?? (await asking(asked, with_, leftMs, name))
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

function refusalOf(
  asked: Question,
  { address, calling, limits, known, control }: QuestionTools,
): NotAsked | undefined {
  const { transport } = address
  if (!asked.transports.includes(transport))
    return { notAsked: `it is for ${asked.transports.join(', ')}, not for ${transport}` }
  if (!known.echoes && !asked.withoutEcho) return { notAsked: known.refusal ?? noEcho }
  const refused = asked.refuses?.({ address, calling, limits, known, control })
  return refused === undefined ? undefined : { notAsked: refused }
}

async function asking(
  asked: Question,
  { known, limits, within }: QuestionTools,
  leftMs: number,
  name: QuestionName,
): Promise<Answer | NotAsked> {
  const cost = costWith(asked, limits)
  const startedMs = performance.now()
  const ask = (traced: boolean) => {
    const stillMs = Math.max(1, startedMs + leftMs - performance.now())
    return within(cost, stillMs, scene => asked.ask(scene), traced)
  }
  try {
    const paired = known.paired ?? false
    const answer = await ask(paired && asked.traced === 'all')
    const isAgain = paired && asked.traced === 'again' && 'found' in answer
    if (!isAgain || answer.found.length === 0) return answer
    // A second look, only for the other end's account: if it fails, the question does not.
    const before = { ...known }
    const again = await ask(true).catch(() => undefined)
    Object.assign(known, before)
    return again && 'found' in again ? joinedWith(answer, again) : answer
  } catch (error) {
    if (error === noConnection) {
      const spent = `it spent all of its ${formatDuration(leftMs)} waiting for connections`
      return { notAsked: `${spent}: new connections get no answer, or a late answer` }
    }
    if (error === timeIsOver) {
      const ms = formatDuration(leftMs)
      const notAsked = `no answer was found within ${ms}: ask it alone, with --only ${name}`
      return { notAsked, own: true }
    }
    // If a question cannot connect any more, that is its finding, unless the fault is our own.
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
