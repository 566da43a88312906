/** A body that comes back only in part: does something stop sending it once its answer begins? */
import { formatSize } from '../vocabulary/units.ts'
import { askDescription } from './http-described.ts'
import { isOk, openLine, post } from './http-exchange.ts'
import type { FindingKind, Found } from './question.ts'
import type { Scene } from './scene.ts'

export const earlyAnswer = {
  outcome: 'differs',
  effect:
    'Services that answer while they read (echoes, converters, streams in both directions) hang ' +
    'with large bodies, now and then. Those that read a request to its end first do not notice.',
  advice:
    'A proxy stops sending a request once its answer has begun. nginx does so whenever the ' +
    'server cannot take the rest at that moment; no setting changes that. Let the server answer ' +
    'when it has the whole body (`?after=body` of yodel), or use a proxy that passes on both ' +
    'directions at the same time (HAProxy, Envoy).',
} as const satisfies FindingKind

/** The connections that askEarly() may use in addition to those of the question. */
export const earlyCost = { connections: 2 }

/**
 * Sends the body once more, and asks the other end to answer only when it has all of it. Undefined
 * if the other end cannot do that (only a yodel can), or if the body does not come back even then.
 * @param seen what came back before
 */
export async function askEarly(
  scene: Scene,
  body: Buffer,
  seen: readonly string[],
): Promise<Found<'early-answer'> | undefined> {
  const first = await openLine(scene)
  const isYodel = (await askDescription(scene, first, [])) !== undefined
  await first.probe.close()
  if (!isYodel) return undefined
  const line = await openLine(scene)
  const answer = await post(scene, line, body, ['X-Yodel-After: body'])
  await line.probe.close()
  if (!isOk(answer) || !answer.isWhole || !answer.body.equals(body)) return undefined
  return {
    name: 'early-answer',
    said: `a body of ${formatSize(body.length)} gets stuck once its answer has begun`,
    evidence: [
      ...seen,
      'the other end was asked to answer only when it had the whole body (?after=body): then the ' +
        'same body came back whole',
    ],
    side: 'on the way',
    where: 'a proxy on the way, which stops sending a request once its answer has begun',
  }
}
