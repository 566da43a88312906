/** delay: every chunk leaves later than it came. */
import { exactDuration, parseDuration } from '../vocabulary/units.ts'
import { everywhere, isNumberWithin, type FaultDefinition, type Share } from './fault.ts'

export interface DelaySpec extends Share {
  kind: 'delay'
  ms: number
  /** The jitter: uniformly up to this much more or less. */
  jitterMs?: number | undefined
  /** exponential: `ms` is the mean; most delays are shorter, some are much longer. */
  distribution?: 'uniform' | 'exponential' | undefined
}

export const delay: FaultDefinition<DelaySpec> = {
  kind: 'delay',
  meaning: 'delays each echo by this much; 50ms~10ms varies',
  sample: '50ms',
  example: 'delay=50ms, delay=50ms~10ms or delay=exp:50ms',
  carries: everywhere,
  amplifies: false,
  parse(text) {
    const exponential = /^exp:(.*)$/.exec(text)
    if (exponential)
      return { kind: 'delay', ms: parseDuration(exponential[1]!), distribution: 'exponential' }
    const [, ms, jitter] = /^([^~]*)(?:~(.*))?$/.exec(text) as unknown as [string, string, string?]
    const jitterMs = jitter === undefined ? undefined : parseDuration(jitter)
    return { kind: 'delay', ms: parseDuration(ms), jitterMs }
  },
  format({ ms, jitterMs, distribution }) {
    if (distribution === 'exponential') return `exp:${exactDuration(ms)}`
    return exactDuration(ms) + (jitterMs === undefined ? '' : `~${exactDuration(jitterMs)}`)
  },
  mistake({ ms, jitterMs = 0, distribution = 'uniform' }) {
    if (!isNumberWithin(ms, 0)) return 'A delay must be 0 ms or more.'
    if (!isNumberWithin(jitterMs, 0, ms))
      return 'The jitter of a delay must be between 0 and the delay.'
    if (distribution !== 'uniform' && distribution !== 'exponential')
      return 'A delay is distributed uniform or exponential.'
    if (distribution === 'exponential' && jitterMs > 0)
      return 'A delay with exponential distribution has no jitter of its own.'
    return undefined
  },
  create({ ms, jitterMs = 0, distribution }, { sleepUntil, random, hit }) {
    const draw =
      distribution === 'exponential'
        ? () => -Math.log(1 - random()) * ms
        : () => ms + (random() * 2 - 1) * jitterMs
    return async function* (chunks) {
      let leaves = 0
      let offset = 0
      for await (const chunk of chunks) {
        const held = draw()
        // A stream keeps its order: no chunk overtakes one with a longer delay.
        leaves = Math.max(leaves, chunk.at + held)
        const bytes = chunk.data.length
        hit({ offset, bytes, ms: Math.round(held * 1e3) / 1e3 })
        offset += bytes
        await sleepUntil(leaves)
        yield { ...chunk, at: leaves }
      }
    }
  },
}
