/** hang: nothing is answered any more, neither data nor FIN; the connection stays open. */
import { exactSize, parseSize } from '../vocabulary/units.ts'
import { everywhere, isCount, part, type FaultDefinition, type Share } from './fault.ts'

export interface HangSpec extends Share {
  kind: 'hang'
  /** Default: 0. */
  afterBytes?: number | undefined
}

export const hang: FaultDefinition<HangSpec> = {
  kind: 'hang',
  meaning: 'stops answering after this many bytes; without a number, at once',
  sample: '1000',
  example: 'hang or hang=1000 (bytes)',
  carries: everywhere,
  amplifies: false,
  parse: text => ({ kind: 'hang', afterBytes: text === '' ? 0 : parseSize(text) }),
  format: ({ afterBytes = 0 }) => (afterBytes === 0 ? '' : exactSize(afterBytes)),
  mistake: ({ afterBytes = 0 }) =>
    isCount(afterBytes, 0) ? undefined : 'hang needs a whole number of bytes from 0 on.',
  create({ afterBytes = 0 }, { carries, sleepUntil, hit }) {
    const wait = (offset: number) => {
      hit({ offset })
      return sleepUntil(Infinity)
    }
    return async function* (chunks) {
      let left = afterBytes
      if (left === 0) await wait(0)
      for await (const chunk of chunks) {
        const { length } = chunk.data
        const reached = left > 0 && length >= left
        // A datagram comes whole or not at all.
        const before = !reached ? length : carries === 'datagrams' && left < length ? 0 : left
        if (before > 0 || !reached) yield part(chunk, 0, before)
        const offset = afterBytes - left + before
        left = Math.max(0, left - length)
        if (!reached) continue
        await wait(offset)
        if (before < length) yield part(chunk, before, length)
      }
    }
  },
}
