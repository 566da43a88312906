/** The table of engines, and how one is chosen. */
import { usageError } from '../vocabulary/errors.ts'
import type { EngineName, WantedEngine } from '../vocabulary/engine-names.ts'
import type { Task } from '../task.ts'
import type { Engine } from './engine.ts'
import { blocking } from './blocking/index.ts'
import { phraseOf, wantedBy } from './features.ts'
import { node } from './node/index.ts'
import { uring } from './uring/index.ts'

export const engines: Readonly<Record<EngineName, Engine>> = { node, uring, blocking }

/** From the most to the least wanted. */
const preference: EngineName[] = ['uring', 'node']

/** Why an engine cannot do a task, as a sentence; undefined if it can. */
export function refusalOf(name: EngineName, task: Task): string | undefined {
  const missing = wantedBy(task).find(feature => !engines[name].features.has(feature))
  if (missing !== undefined) return `The ${name} engine cannot ${phraseOf(missing)}.`
  return engines[name].refuses({ ...task, engine: name })
}

const speakers = ({ address }: Task): number =>
  preference.filter(name => engines[name].features.has(address.transport)).length

function instead(task: Task): string {
  const able = preference.find(name => refusalOf(name, task) === undefined)
  return able ? `Try \`--engine auto\`, which takes ${able}.` : 'Nor can any other engine.'
}

/**
 * The engine for a task, and why it is not the one that was preferred.
 * @throws UserError if the wanted one refuses, or all do
 */
export function chooseEngine(wanted: WantedEngine, task: Task) {
  const reasons: string[] = []
  for (const name of wanted === 'auto' ? preference : [wanted]) {
    const refusal = refusalOf(name, task)
    if (refusal === undefined) return { engine: name, reason: reasons[0] }
    // Where only another engine speaks the transport, the user did not expect this one.
    const isExpected = wanted !== 'auto' || engines[name].features.has(task.address.transport)
    if (isExpected || speakers(task) > 1) reasons.push(refusal)
  }
  if (wanted !== 'auto') throw usageError(reasons[0]!, instead(task))
  // If all refuse, each reason counts: that of the last engine, and that of the preferred one.
  throw usageError(reasons.toReversed().join(' '))
}
