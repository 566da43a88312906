/** hang: nothing is answered any more, neither data nor FIN; the connection stays open. */
import { parseSize } from '../units.ts'
import { isCount, type Kind, type Share } from './fault.ts'

export interface HangSpec extends Share {
  kind: 'hang'
  /** 0 if it is not given. */
  afterBytes?: number | undefined
}

export const hang: Kind<HangSpec> = {
  example: 'hang or hang=1000 (bytes)',
  parse: text => ({ kind: 'hang', afterBytes: text === '' ? 0 : parseSize(text) }),
  mistake: ({ afterBytes = 0 }) =>
    isCount(afterBytes, 0) ? undefined : 'hang needs a whole number of bytes from 0 on.',
  create({ afterBytes = 0 }, { sleepUntil, hit }) {
    const wait = () => {
      hit()
      return sleepUntil(Infinity)
    }
    return async function* (chunks) {
      let left = afterBytes
      if (left === 0) await wait()
      for await (const { data, at } of chunks) {
        const reached = left > 0 && data.length >= left
        const before = reached ? left : data.length
        yield { data: data.subarray(0, before), at }
        left = Math.max(0, left - data.length)
        if (!reached) continue
        await wait()
        if (before < data.length) yield { data: data.subarray(before), at }
      }
    }
  },
}
