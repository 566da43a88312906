/** The table of engines, and how one is chosen. */
import { usageError } from '../vocabulary/errors.ts'
import {
  abilities,
  autoTakes,
  engineCan,
  engineSpeaks,
  type EngineName,
  type WantedEngine,
} from '../vocabulary/engine-names.ts'
import type { Option } from '../options/form.ts'
import { isForEngine, isForTransport } from '../options/where.ts'
import type { Task } from '../task.ts'
import type { Engine } from './engine.ts'
import { blocking } from './blocking/index.ts'
import { node } from './node/index.ts'
import { uring } from './uring/index.ts'

export const engines: Readonly<Record<EngineName, Engine>> = { node, uring, blocking }

/** The most preferred engine first. */
const preference: EngineName[] = ['uring', 'node']

/** What a task needs and an engine cannot do: the end of the sentence `The NAME engine cannot`. */
function missing(
  name: EngineName,
  task: Task,
  asked: readonly Option<unknown>[],
): string | undefined {
  const { transport } = task.address
  if (!engineSpeaks(name, transport)) return `speak ${transport}`
  if (!engineCan(name, task.kind)) return abilities[task.kind]
  // An option for another transport of the same server is not a reason.
  const option = asked.find(row => isForTransport(row, transport) && !isForEngine(row, name))
  if (option) return option.where?.act
  const sharesPort = task.kind === 'serve' && task.sharePort
  return sharesPort && !engineCan(name, 'sharePort') ? abilities.sharePort : undefined
}

/** Why an engine cannot do a task, as a sentence; undefined if it can. */
function refusalOf(
  name: EngineName,
  task: Task,
  asked: readonly Option<unknown>[],
): string | undefined {
  const lacks = missing(name, task, asked)
  if (lacks !== undefined) return `The ${name} engine cannot ${lacks}.`
  return engines[name].refuses({ ...task, engine: name })
}

/** The engines that `auto` may take. */
const candidates = ({ address }: Task): EngineName[] =>
  preference.filter(name => autoTakes(name, address.transport))

const speakers = ({ address }: Task): number =>
  preference.filter(name => engineSpeaks(name, address.transport)).length

function instead(task: Task, asked: readonly Option<unknown>[]): string {
  const able = candidates(task).find(name => refusalOf(name, task, asked) === undefined)
  return able ? `Try \`--engine auto\`, which takes ${able}.` : 'No other engine can, either.'
}

/**
 * The engine for a task, and why it is not the one that was preferred.
 * @param asked the options that differ from their defaults; not every engine has all options
 * @throws UserError if the wanted one refuses, or all do
 */
export function chooseEngine(wanted: WantedEngine, task: Task, asked: readonly Option<unknown>[]) {
  const reasons: string[] = []
  for (const name of wanted === 'auto' ? candidates(task) : [wanted]) {
    const refusal = refusalOf(name, task, asked)
    if (refusal === undefined) return { engine: name, reason: reasons[0] }
    // No note if the preferred engine does not have the transport: that is expected.
    const isExpected = wanted !== 'auto' || engineSpeaks(name, task.address.transport)
    if (isExpected || speakers(task) > 1) reasons.push(refusal)
  }
  if (wanted !== 'auto') throw usageError(reasons[0]!, instead(task, asked))
  // If all engines refuse, the error gives two reasons: that of the last engine and that of the
  // preferred one.
  throw usageError(reasons.toReversed().join(' '))
}
