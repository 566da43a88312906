/** throttle: a narrow line that carries this many bytes per second. */
import { usageError } from '../vocabulary/errors.ts'
import { exactSize, parseSize } from '../vocabulary/units.ts'
import { everywhere, isNumberWithin, part, type FaultDefinition, type Share } from './fault.ts'

export interface ThrottleSpec extends Share {
  kind: 'throttle'
  bytesPerSecond: number
}

/**
 * A piece has at most what the line carries in this time: an even flow, not one burst per second.
 */
const pieceMs = 10

export const throttle: FaultDefinition<ThrottleSpec> = {
  kind: 'throttle',
  meaning: 'this many bytes per second on each connection',
  sample: '64k/s',
  example: 'throttle=64k/s',
  carries: everywhere,
  amplifies: false,
  parse(text) {
    const size = /^(.*)\/s$/.exec(text)?.[1]
    if (size === undefined) throw usageError(`'${text}' is not a number of bytes per second.`)
    return { kind: 'throttle', bytesPerSecond: parseSize(size) }
  },
  format: ({ bytesPerSecond }) => `${exactSize(bytesPerSecond)}/s`,
  mistake({ bytesPerSecond }) {
    return isNumberWithin(bytesPerSecond, 1)
      ? undefined
      : 'A throttle must let through 1 B/s or more.'
  },
  create({ bytesPerSecond }, { carries, sleepUntil, hit }) {
    const evenBytes = Math.max(1, Math.floor((bytesPerSecond * pieceMs) / 1e3))
    const pieceBytes = carries === 'datagrams' ? Infinity : evenBytes
    return async function* (chunks) {
      // Counted from when the line was free, not from when a timer fired: lateness does not add up.
      let leaves = 0
      let offset = 0
      for await (const chunk of chunks) {
        const bytes = chunk.data.length
        hit({ offset, bytes })
        offset += bytes
        let from = 0
        // At least once, since an empty message is a message, too.
        do {
          const to = Math.min(bytes, from + pieceBytes)
          leaves = Math.max(leaves, chunk.at) + ((to - from) / bytesPerSecond) * 1e3
          await sleepUntil(leaves)
          yield part(chunk, from, to, leaves)
          from = to
        } while (from < bytes)
      }
    }
  },
}
