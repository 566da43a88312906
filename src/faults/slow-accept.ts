/** slow-accept: the connection is accepted at once, and served later. */
import { exactDuration, parseDuration } from '../vocabulary/units.ts'
import { connections, isNumberWithin, type FaultDefinition, type Share } from './fault.ts'

export interface SlowAcceptSpec extends Share {
  kind: 'slow-accept'
  ms: number
}

export const slowAccept: FaultDefinition<SlowAcceptSpec> = {
  kind: 'slow-accept',
  meaning: 'accepts at once, and serves this much later',
  sample: '100ms',
  example: 'slow-accept=100ms',
  carries: connections,
  amplifies: false,
  parse: text => ({ kind: 'slow-accept', ms: parseDuration(text) }),
  format: ({ ms }) => exactDuration(ms),
  mistake: ({ ms }) =>
    isNumberWithin(ms, 0) ? undefined : 'slow-accept needs a time of 0 ms or more.',
  create: ({ ms }, { openedAt, sleepUntil, hit }) =>
    async function* (chunks) {
      hit({ ms })
      await sleepUntil(openedAt + ms)
      for await (const chunk of chunks) yield { ...chunk, at: Math.max(chunk.at, openedAt + ms) }
    },
}
