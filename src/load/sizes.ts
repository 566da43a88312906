/** How large the n-th message of a connection is: a function of both, so nothing is stored. */
import { usageError } from '../vocabulary/errors.ts'
import { parseSize } from '../vocabulary/units.ts'
import { mix } from '../vocabulary/random.ts'

/** Sizes from `minBytes` to `maxBytes`, all equally likely; the weight decides among several. */
export interface SizeRange {
  minBytes: number
  maxBytes: number
  weight: number
}

export interface Sizes {
  readonly minBytes: number
  readonly maxBytes: number
  /** The size of all messages, if it is the same for all; else 0. */
  readonly fixedBytes: number
  of(connection: number, n: number): number
}

export function createSizes(ranges: readonly SizeRange[], seed: number): Sizes {
  const minBytes = Math.min(...ranges.map(range => range.minBytes))
  const maxBytes = Math.max(...ranges.map(range => range.maxBytes))
  if (minBytes === maxBytes) return { minBytes, maxBytes, fixedBytes: minBytes, of: () => minBytes }
  const total = ranges.reduce((sum, { weight }) => sum + weight, 0)
  let sum = 0
  const upTo = ranges.map(({ weight }) => (sum += weight) / total)
  return {
    minBytes,
    maxBytes,
    fixedBytes: 0,
    of(connection, n) {
      const which = mix(mix(mix(seed ^ 0x51ce) ^ connection) ^ n)
      const at = which / 2 ** 32
      const index = upTo.findIndex(share => at < share)
      const range = ranges[index === -1 ? ranges.length - 1 : index]!
      const span = range.maxBytes - range.minBytes + 1
      return range.minBytes + Math.floor((mix(which ^ 0x9e3779b9) / 2 ** 32) * span)
    },
  }
}

/**
 * `64`, a range `16-64k`, or a list with weights `64:90%,1k-4k:9%,64k:1%`. A size without a weight
 * has the weight 1, and weights are shares of their sum.
 * @throws UserError if the text has none of these forms
 */
export function parseSizes(text: string): SizeRange[] {
  return text.split(',').map(part => {
    const match = /^([^:-]+)(?:-([^:-]+))?(?::(\d+(?:\.\d+)?)%?)?$/.exec(part.trim())
    if (!match)
      throw usageError(
        `'${text}' is not a size.`,
        'Write for example 64, 16-64k (16 B to 64 kB) or 64:90%,1k-4k:10%.',
      )
    const minBytes = parseSize(match[1]!)
    const maxBytes = match[2] === undefined ? minBytes : parseSize(match[2])
    return { minBytes, maxBytes, weight: match[3] === undefined ? 1 : Number(match[3]) }
  })
}

/**
 * The inverse of parseSizes(): `64`, or `16-64:1,1000:2`.
 * @param bytesText how one size is written
 */
export function sizesText(
  ranges: readonly SizeRange[],
  bytesText: (bytes: number) => string = String,
): string {
  return ranges
    .map(({ minBytes, maxBytes, weight }) => {
      const range =
        minBytes === maxBytes ? bytesText(minBytes) : `${minBytes}-${bytesText(maxBytes)}`
      return ranges.length === 1 ? range : `${range}:${weight}`
    })
    .join(',')
}
