/** slice: the stream leaves in small writes. */
import { usageError } from '../vocabulary/errors.ts'
import { connections, isCount, part, type FaultDefinition, type Share } from './fault.ts'

export interface SliceSpec extends Share {
  kind: 'slice'
  minBytes: number
  maxBytes: number
}

export const slice: FaultDefinition<SliceSpec> = {
  kind: 'slice',
  meaning: 'sends small pieces: one message takes many reads',
  sample: '1-100',
  example: 'slice=10 or slice=1-100',
  carries: connections,
  amplifies: false,
  parse(text) {
    const sizes = /^(\d+)(?:-(\d+))?$/.exec(text)
    if (!sizes) throw usageError(`'${text}' is not a number of bytes.`)
    const minBytes = Number(sizes[1])
    return { kind: 'slice', minBytes, maxBytes: Number(sizes[2] ?? minBytes) }
  },
  format: ({ minBytes, maxBytes }) =>
    minBytes === maxBytes ? String(minBytes) : `${minBytes}-${maxBytes}`,
  mistake({ minBytes, maxBytes }) {
    if (isCount(minBytes, 1) && isCount(maxBytes, minBytes)) return undefined
    return 'A slice must have 1 byte or more, and the second number must not be the smaller one.'
  },
  create({ minBytes, maxBytes }, { random, hit }) {
    const draw = () => minBytes + Math.floor(random() * (maxBytes - minBytes + 1))
    return async function* (chunks) {
      // Cuts are at offsets of the stream, however the system delivered it.
      let left = draw()
      let offset = 0
      for await (const chunk of chunks) {
        const bytes = chunk.data.length
        if (bytes > left) hit({ offset, bytes })
        // An empty message is a message, too.
        if (bytes === 0) yield chunk
        for (let from = 0; from < bytes;) {
          const piece = part(chunk, from, from + left)
          yield piece
          from += piece.data.length
          left -= piece.data.length
          if (left === 0) left = draw()
        }
        offset += bytes
        // The next message begins with a slice of its own.
        if (chunk.message && !chunk.more) left = draw()
      }
    }
  },
}
