/** The runner: a first look, then each question within its bounds, then the verdict. */
import { formatAddress, type Address } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import { formatDuration } from '../vocabulary/units.ts'
import { versions } from '../vocabulary/machine.ts'
import type { Calling } from '../options/calling.ts'
import { OwnDelay } from './again.ts'
import { answer, costWith, CutShort, type QuestionTools } from './answering.ts'
import { Control } from './control.ts'
import { judgeExpectation, type Expectation } from './expectation.ts'
import { firstCost, lookAtFirst } from './first-look.ts'
import type { Cost, Limits, WholeCost } from './limits.ts'
import type { Question } from './question.ts'
import { questionOf, type QuestionName } from './question-table.ts'
import { checkFormat, type CheckResult, type QuestionResult } from './result.ts'
import { nothingKnown, Scene, type KnownPath } from './scene.ts'
import { needsOf, Time } from './time.ts'
import { doubtOthers, verdictOf, type Answered } from './verdict.ts'

export interface Inquiry {
  readonly address: Address
  readonly calling: Calling
  /** Where the control API of that server is. */
  readonly control: string | undefined
  readonly questions: readonly QuestionName[]
  readonly expectations: readonly Expectation[]
  readonly limits: Limits
}

/** What the runner calls as soon as it has found something. */
export interface CheckEvents {
  onMode(mode: CheckResult['mode']): void
  onAnswer(result: QuestionResult): void
}

/** How many connections other questions may need while one question waits. */
const othersAtOnce = 10

const sum = (costs: readonly Cost[], of: (cost: Cost) => number) =>
  costs.reduce((total, cost) => total + of(cost), 0)

/** What the whole check may use at most. */
export function costOf({ address, questions, limits }: Inquiry): WholeCost {
  const asked = questions
    .map(questionOf)
    .filter(({ transports }) => transports.includes(address.transport))
  const costOfEach = (some: readonly Question[]) => some.map(each => costWith(each, limits))
  const silent = costOfEach(asked.filter(({ waits }) => waits))
  const talking = [firstCost, ...costOfEach(asked.filter(({ waits }) => !waits))]
  const costs = [...talking, ...silent]
  const silenceMs = sum(silent, ({ ms }) => ms)
  return {
    atOnce: Math.min(
      limits.maxConnections,
      Math.max(
        ...costs.map(({ atOnce }) => atOnce),
        ...silent.map(({ atOnce }) => atOnce + othersAtOnce),
      ),
    ),
    connections: sum(costs, ({ connections }) => connections),
    bytes: sum(costs, ({ bytes }) => bytes),
    ms:
      Math.min(
        limits.allMs,
        sum(talking, ({ ms }) => ms),
      ) + silenceMs,
    silenceMs,
    questionMs: Math.max(0, ...talking.slice(1).map(({ ms }) => ms)),
  }
}

/** Runs work within the bounds that it is given, and adds up what it has used. */
const boundedBy =
  (
    context: () => ConstructorParameters<typeof Scene>[0],
    used: { connections: number; bytes: number },
    signal: AbortSignal,
  ): QuestionTools['within'] =>
  async (most, leftMs, work, traced = false) => {
    const over = new AbortController()
    const timer = setTimeout(() => over.abort(new Error('its time is over')), leftMs)
    const either = AbortSignal.any([signal, over.signal])
    await using scene = new Scene(context(), most, either, traced, leftMs)
    try {
      const working = work(scene)
      // After the time limit an error of this work does not matter.
      working.catch(() => {})
      return await Promise.race([working, aborted(either)])
    } catch (error) {
      if (over.signal.aborted) throw new CutShort(scene, scene.waited(leftMs / 2))
      if (!(error instanceof UserError)) throw error
      if (scene.noted.length === 0 && scene.passed === '') throw error
      throw new CutShort(scene, false, error)
    } finally {
      clearTimeout(timer)
      used.connections += scene.used.connections
      used.bytes += scene.used.bytes
    }
  }

/**
 * Asks one question after the other.
 * @throws UserError if no server answers
 */
export async function run(
  inquiry: Inquiry,
  events: CheckEvents,
  signal: AbortSignal,
): Promise<CheckResult> {
  const startedAt = new Date().toISOString()
  const startedMs = performance.now()
  using own = new OwnDelay()
  const known = nothingKnown()
  const used = { connections: 0, bytes: 0 }
  const cost = costOf(inquiry)
  const time = new Time(cost.ms - cost.silenceMs)
  let { calling } = inquiry
  const others = spoken(inquiry.questions)
  const { control: url } = inquiry
  const beginning = (leftMs: number) => Control.begin(url!, 2 * cost.ms, leftMs)
  const control = url === undefined ? undefined : await time.spend(others, firstCost.ms, beginning)
  const within = boundedBy(() => ({ ...inquiry, calling, known, own, control }), used, signal)
  const looking = async (leftMs: number) => {
    const most = Math.min(firstCost.ms, leftMs)
    return within(firstCost, most, lookAtFirst).catch((error: unknown) => {
      if (!(error instanceof CutShort)) throw error
      return unseen(error, inquiry, known, most)
    })
  }
  calling = await time.spend(others, firstCost.ms, looking)
  if (control) await time.spend(others, firstCost.ms, () => control.look())
  const mode = known.paired || control ? 'paired' : 'blind'
  events.onMode(mode)
  const results = await askAll(
    inquiry,
    { ...inquiry, known, control, own, within },
    time,
    events,
    signal,
  )
  return {
    format: checkFormat,
    address: formatAddress(inquiry.address),
    mode,
    ...judged(inquiry, results, known),
    cost,
    used,
    startedAt,
    seconds: (performance.now() - startedMs) / 1e3,
    versions: versions(),
  }
}

function judged(inquiry: Inquiry, results: readonly Answered[], known: KnownPath) {
  const questions = results.map(({ result }) => result)
  doubtOthers(questions)
  const expectations = inquiry.expectations.map(expectation =>
    judgeExpectation(expectation, questions),
  )
  return { ...verdictOf(results, expectations, known), questions, expectations }
}

/**
 * Asks one question after the other. A question that only waits is asked at the same time as
 * others, if there is room for both.
 */
async function askAll(
  { questions, limits }: Inquiry,
  asking: QuestionTools,
  time: Time,
  events: CheckEvents,
  signal: AbortSignal,
): Promise<Answered[]> {
  const results: Promise<Answered>[] = []
  for (const [at, name] of questions.entries()) {
    signal.throwIfAborted()
    const asked = questionOf(name)
    const others = spoken(questions.slice(at + 1)).filter(each =>
      questionOf(each).transports.includes(asking.address.transport),
    )
    const { atOnce } = costWith(asked, limits)
    const answering = asked.waits
      ? answer(name, asking)
      : time.spend(others, needsOf(name), leftMs => answer(name, asking, leftMs))
    const telling = answering.then(answered => {
      events.onAnswer(answered.result)
      return answered
    })
    telling.catch(() => {})
    results.push(telling)
    if (!asked.waits || others.length === 0 || !hasRoom(asking.known, limits, atOnce)) await telling
  }
  return await Promise.all(results)
}

/**
 * The result if the first look failed: what came back was not an echo, or no connection could be
 * made.
 */
function unseen(
  { isConnecting }: CutShort,
  { address, calling }: Inquiry,
  known: KnownPath,
  ms: number,
): Calling {
  const within = `within ${formatDuration(ms)}`
  if (isConnecting)
    throw new UserError('network', `No connection to ${formatAddress(address)} came ${within}.`)
  known.echoes = false
  known.refusal = `no echo came ${within}`
  return calling
}

/** The questions that use the shared time. */
const spoken = (names: readonly QuestionName[]) => names.filter(name => !questionOf(name).waits)

const hasRoom = ({ atOnce = Infinity }: KnownPath, { maxConnections }: Limits, wanted: number) =>
  Math.min(atOnce, maxConnections) >= wanted + othersAtOnce

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const fail = () => reject(signal.reason as Error)
    if (signal.aborted) fail()
    else signal.addEventListener('abort', fail)
  })
