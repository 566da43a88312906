/** slow-accept: the connection is there, but served only after a while. */
import { parseDuration } from '../units.ts'
import { isNumber, type Kind, type Share } from './fault.ts'

export interface SlowAcceptSpec extends Share {
  kind: 'slow-accept'
  ms: number
}

export const slowAccept: Kind<SlowAcceptSpec> = {
  example: 'slow-accept=100ms',
  parse: text => ({ kind: 'slow-accept', ms: parseDuration(text) }),
  mistake: ({ ms }) => (isNumber(ms, 0) ? undefined : 'slow-accept needs a time of 0 ms or more.'),
  create: ({ ms }, { openedAt, sleepUntil, hit }) =>
    async function* (chunks) {
      hit()
      await sleepUntil(openedAt + ms)
      for await (const { data, at } of chunks) yield { data, at: Math.max(at, openedAt + ms) }
    },
}
