/** Pieces of received bytes, each with its origin, and how two of them change places. */

/** A piece of what was received that has one origin. */
export interface Piece {
  /** Where in the received bytes the piece begins. */
  at: number
  length: number
  /**
   * The stream that should have come, another one that is known, some stream of this payload whose
   * place is not known, or none at all.
   */
  whose: 'own' | 'other' | 'somewhere' | 'nobody'
  /** For `own` and `other`: the stream, and the offset in it at which the piece begins. */
  connection: number
  offset: number
  /** Whether another origin is equally plausible. */
  doubtful?: true
}

/** How many equal bytes mean that the stream is in step again; fewer mean nothing. */
export const inStepBytes = 3
/** How many bytes at the border of a piece may look right by chance. */
export const chanceBytes = 3

interface OwnStream {
  /** How many bytes from `at` on are those of the stream itself from `offset` on. */
  ownLength(at: number, offset: number): number
}

/** The rest of a piece of bytes that are of no stream. */
export const nobody = { whose: 'nobody', connection: -1, offset: -1 } as const

/**
 * For a piece that came too early: its length, and the piece that was due instead, if it came
 * later. `sure`: all of that piece came, or as much as could be received.
 */
export function swap(
  streams: OwnStream,
  early: Piece,
  receivedBytes: number,
  length: number,
): { lengths: [early: number, late: number]; sure: boolean } | undefined {
  const ahead = early.offset - receivedBytes - early.at
  const end = early.at + early.length
  // By chance a few bytes on either border may look right.
  for (const chance of [0, 1, -1, 2, -2, 3, -3]) {
    const late = ahead - Math.max(0, -chance)
    const seen = Math.min(late, length - end)
    if (seen <= 0) continue
    const run = streams.ownLength(end, receivedBytes - chance)
    if (run < seen || run > late + chanceBytes) continue
    const sure = end + late < length
    const goesOn = () => streams.ownLength(end + late, receivedBytes + end + late) >= inStepBytes
    if (seen >= inStepBytes || (sure && goesOn())) return { lengths: [end + chance, ahead], sure }
  }
  // Two pieces of the same length, with others between them.
  const seen = Math.min(early.length, length - ahead)
  if (ahead < end || seen < inStepBytes) return undefined
  const run = streams.ownLength(ahead, receivedBytes)
  const apart = run >= seen && run <= early.length + chanceBytes
  return apart ? { lengths: [early.length, early.length], sure: true } : undefined
}

export function bitsThatDiffer(a: Uint8Array, b: Uint8Array, from: number, to: number): number {
  let bits = 0
  for (let at = from; at < to; at++)
    for (let rest = a[at]! ^ b[at]!; rest > 0; rest &= rest - 1) bits++
  return bits
}
