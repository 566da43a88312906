/** slice: the stream leaves in small writes. */
import { usageError } from '../errors.ts'
import { isCount, type Kind, type Share } from './fault.ts'

export interface SliceSpec extends Share {
  kind: 'slice'
  minBytes: number
  maxBytes: number
}

export const slice: Kind<SliceSpec> = {
  example: 'slice=10 or slice=1-100',
  parse(text) {
    const sizes = /^(\d+)(?:-(\d+))?$/.exec(text)
    if (!sizes) throw usageError(`'${text}' is not a number of bytes.`)
    const minBytes = Number(sizes[1])
    return { kind: 'slice', minBytes, maxBytes: Number(sizes[2] ?? minBytes) }
  },
  mistake({ minBytes, maxBytes }) {
    if (isCount(minBytes, 1) && isCount(maxBytes, minBytes)) return undefined
    return 'A slice must have 1 byte or more, and the second number must not be the smaller one.'
  },
  create({ minBytes, maxBytes }, { random, hit }) {
    const draw = () => minBytes + Math.floor(random() * (maxBytes - minBytes + 1))
    return async function* (chunks) {
      // Cuts lie at places of the stream, however the system delivered it.
      let left = draw()
      for await (const { data, at } of chunks) {
        if (data.length > left) hit()
        for (let from = 0; from < data.length;) {
          const piece = data.subarray(from, from + left)
          yield { data: piece, at }
          from += piece.length
          left -= piece.length
          if (left === 0) left = draw()
        }
      }
    }
  },
}
