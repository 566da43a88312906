/** corrupt: now and then one bit of a byte is flipped. */
import { usageError } from '../vocabulary/errors.ts'
import { exactPercent, parsePercent } from '../vocabulary/units.ts'
import { everywhere, isNumberWithin, type FaultDefinition, type Share } from './fault.ts'

export interface CorruptSpec extends Share {
  kind: 'corrupt'
  /** The probability that one bit of a byte is flipped; from 0 to 1. */
  perByte: number
}

export const corrupt: FaultDefinition<CorruptSpec> = {
  kind: 'corrupt',
  meaning: 'flips one bit in this share of the bytes',
  sample: '0.1%',
  example: 'corrupt=0.1% or corrupt=1e-6 (of the bytes)',
  carries: everywhere,
  amplifies: false,
  parse(text) {
    if (text.endsWith('%')) return { kind: 'corrupt', perByte: parsePercent(text) }
    if (!/^\d+(?:\.\d+)?(?:e-?\d+)?$/i.test(text))
      throw usageError(`'${text}' is not a part of the bytes.`)
    return { kind: 'corrupt', perByte: Number(text) }
  },
  format: ({ perByte }) => exactPercent(perByte),
  mistake({ perByte }) {
    return isNumberWithin(perByte, 0, 1) ? undefined : 'The part of corrupt bytes goes from 0 to 1.'
  },
  create({ perByte }, { random, hit }) {
    /** How many bytes stay as they are before the next hit: one draw for each hit. */
    const draw = () => Math.floor(Math.log(1 - random()) / Math.log1p(-perByte))
    return async function* (chunks) {
      // Hits are at offsets of the stream, however the system delivered it.
      let next = perByte > 0 ? draw() : Infinity
      let offset = 0
      for await (const chunk of chunks) {
        const { data } = chunk
        for (; next < data.length; next += 1 + draw()) {
          const bit = Math.floor(random() * 8)
          data[next]! ^= 1 << bit
          hit({ offset: offset + next, bit })
        }
        next -= data.length
        offset += data.length
        yield chunk
      }
    }
  },
}
