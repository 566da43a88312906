/** Asks one question, if it makes sense here, and makes a result of its answer. */
import type { Address } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import { formatDuration } from '../vocabulary/units.ts'
import type { OwnDelay } from './again.ts'
import type { Calling } from '../options/calling.ts'
import type { Control } from './control.ts'
import { foundGone, gone, isGone } from './gone.ts'
import type { Cost, Limits } from './limits.ts'
import type { Answer, FindingKind, Found, NotAsked, Outcome, Question } from './question.ts'
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
  readonly own: OwnDelay
  /** Runs `work` within the bounds of that cost, and within this much time. */
  readonly within: <T>(
    cost: Cost,
    leftMs: number,
    work: (scene: Scene) => Promise<T>,
    traced?: boolean,
  ) => Promise<T>
}

/** The time limit, or an error, ended a question before it was complete. */
export class CutShort extends Error {
  /** What the question had found until then, and what had worked. */
  readonly found: readonly Found[]
  readonly passed: string
  /** It ran out of time while it waited for a connection. */
  readonly isConnecting: boolean
  /** What failed; undefined: it ran out of time. */
  override readonly cause: UserError | undefined

  constructor({ noted, passed }: Scene, isConnecting: boolean, cause?: UserError) {
    super('a question did not come to its end')
    this.found = noted
    this.passed = passed
    this.isConnecting = isConnecting
    this.cause = cause
  }
}

/** How much later than its cost says a question may end: on a long path, and on a busy machine. */
const [roundTripsMore, patienceMore] = [20, 8]

/** After this long the question ends, whatever the other end does. */
const boundOf = (asked: Question, { limits, known, own }: QuestionTools): number =>
  asked.cost(limits).ms + roundTripsMore * known.rttMs + patienceMore * own.patienceMs

/**
 * The cost of a question, with traces and with what is asked again. The time is not included: it
 * has a bound of its own.
 */
export function costWith(asked: Question, limits: Limits): Cost {
  const cost = asked.cost(limits)
  if (!asked.traced) return cost
  const times = asked.traced === 'again' ? 2 : 1
  return {
    atOnce: cost.atOnce + 1,
    connections: times * cost.connections + witnessesMax,
    bytes: times * cost.bytes,
    ms: cost.ms,
  }
}

/**
 * @param leftMs what is left of the time that all questions share; a question that only waits has
 * its own time
 */
export async function answer(
  name: QuestionName,
  with_: QuestionTools,
  leftMs = Infinity,
): Promise<Answered> {
  const asked = questionOf(name)
  const startedMs = performance.now()
  const boundMs = boundOf(asked, with_)
  const most = Math.min(leftMs, boundMs)
  const told =
    refusalOf(asked, with_) ?? (await asking(asked, with_, most, hintOf(name, most < boundMs)))
  const seconds = (performance.now() - startedMs) / 1e3
  const limitSeconds = most / 1e3
  const none = { findings: [], evidence: [], advice: [], figures: {} }
  if ('notAsked' in told) {
    const result: QuestionResult = {
      name,
      outcome: 'not asked',
      said: told.notAsked,
      ...none,
      seconds,
      limitSeconds,
    }
    return { result, own: told.own ?? false }
  }
  const findings = told.found.map(found => findingOf(asked, found))
  const outcome = worst(findings.map(finding => finding.outcome))
  const said = findings.find(finding => finding.outcome === outcome)?.said ?? told.said
  const isCut = told.cut !== undefined
  const result: QuestionResult = {
    name,
    outcome,
    said: isCut ? `${said}; ${told.cut}` : said,
    findings,
    evidence: findings.flatMap(({ evidence }) => evidence),
    advice: [...new Set(findings.map(({ advice }) => advice))],
    figures: told.figures ?? {},
    seconds,
    limitSeconds,
  }
  return { result, own: isCut }
}

/** @param isShort other questions have used a part of its time */
const hintOf = (name: QuestionName, isShort: boolean): string =>
  isShort ? `ask it alone, with --only ${name}` : 'it has more time with --thorough'

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
  hint: string,
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
    // Asks a second time, only to get the account of the other end. If this fails, the first answer
    // still counts.
    const before = { ...known }
    const again = await ask(true).catch(() => undefined)
    Object.assign(known, before)
    return again && 'found' in again ? joinedWith(answer, again) : answer
  } catch (error) {
    const isCut = error instanceof CutShort
    if (isCut && !error.cause)
      return cutShort(error, formatDuration(leftMs), lateText(known) + hint)
    const cause = isCut ? error.cause : error
    if (!(cause instanceof UserError)) throw error
    return failedBy(cause, known, isCut ? error : { found: [], passed: '' })
  }
}

/** If an echo takes this long, the slow path is why the question ran out of time. */
const lateMs = 500
const lateText = ({ rttMs }: KnownPath): string =>
  rttMs < lateMs ? '' : `an echo takes ${formatDuration(rttMs)}; `

/** The answer of a question that an error ended. */
function failedBy(
  error: UserError,
  { refusal }: KnownPath,
  { found, passed }: Pick<CutShort, 'found' | 'passed'>,
): Answer | NotAsked {
  // If a question cannot connect any more, that is its finding, unless the fault is our own.
  if (isGone(error) && refusal === undefined) {
    const last = foundGone(error, passed)
    return { said: last.said, found: [...found, last] }
  }
  const message = error.message.replace(/\.$/, '')
  const [first] = found
  if (first) return { said: first.said, found, cut: `and then: ${message}` }
  const own = /descriptors/.test(message)
  const until = passed === '' ? '' : `; until then ${passed}`
  return { notAsked: `${message}${until}`, ...(own && { own }) }
}

/** The answer of a question that ran out of time; it is never `ok`. */
function cutShort(
  { found, passed, isConnecting }: CutShort,
  time: string,
  hint: string,
): Answer | NotAsked {
  const [first] = found
  const cut = `it ran out of time (${time})`
  if (first) return { said: first.said, found, cut }
  const until = passed === '' ? '' : `; until then ${passed}`
  if (isConnecting) {
    const spent = `it spent all of its ${time} waiting for connections`
    return { notAsked: `${spent}: new connections get no answer, or a late answer${until}` }
  }
  return { notAsked: `${cut}${until}; ${hint}`, own: true }
}

/** The findings of the first answer, each with what the second answer says about it. */
const joinedWith = (answer: Answer, again: Answer): Answer => ({
  ...answer,
  found: answer.found.map(found => {
    const seen = again.found.find(({ name, side }) => name === found.name && side !== undefined)
    if (!seen) return found
    const { side, where, witness } = seen
    return { ...found, side, where, witness }
  }),
})

/** What each question may find. */
export const anywhere: Readonly<Record<string, FindingKind>> = { gone }

function findingOf(asked: Question, found: Found): Finding {
  const { outcome, effect, advice } = asked.findings[found.name] ?? anywhere[found.name]!
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
