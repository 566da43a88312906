/** Distinguishes flipped bits from a stream that is out of step, while the bytes come. */
import { plural } from '../vocabulary/units.ts'
import { firstWrongByte, type Payload } from './payload.ts'

/**
 * A byte from another place differs in about four bits, a corrupt one mostly in one. Each byte adds
 * its wrong bits, less `usualBits`, to a sum, so right bytes lower it. Some 30 bytes out of step
 * reach the limit, and so does a replaced piece of about that length.
 */
const usualBits = 2
const limitBits = 64

export interface BytesCompared {
  /** How many bytes are certainly in step, corrupt or not. */
  sure: number
  /** How many of them differ. */
  corruptedBytes: number
  flippedBits: number
  /** After these bytes the stream is out of step. */
  lost: boolean
}

/** @param isLast no more bytes are due, so nothing behind these can be out of step */
export function compareInStep(
  payload: Payload,
  connection: number,
  offset: number,
  received: Uint8Array,
  from: number,
  length: number,
  isLast: boolean,
): BytesCompared {
  const { table } = payload
  const found: BytesCompared = { sure: 0, corruptedBytes: 0, flippedBits: 0, lost: false }
  // A burst counts as corrupt only when it is over: until then the stream may be out of step.
  let [score, burstBytes, burstBits] = [0, 0, 0]
  for (let at = 0; at < length; at++) {
    if (score === 0) {
      const rest = length - at
      const next = firstWrongByte(payload, connection, offset + at, received, from + at, rest)
      if (next === -1) return { ...found, sure: length }
      at += next
      found.sure = at
    }
    const bits = flips(received[from + at]!, table[payload.at(connection, offset + at)]!)
    if (bits > 0) burstBytes++
    burstBits += bits
    score = Math.max(0, score + bits - usualBits)
    if (score > limitBits) return { ...found, lost: true }
    if (score > 0 && !(isLast && at === length - 1)) continue
    found.sure = at + 1
    found.corruptedBytes += burstBytes
    found.flippedBits += burstBits
    burstBytes = burstBits = 0
  }
  return found
}

/** Describes corrupt bytes in a sentence. */
export const corruptionDetail = ({ corruptedBytes, flippedBits }: BytesCompared): string =>
  `${plural(flippedBits, 'bit')} ${flippedBits === 1 ? 'differs' : 'differ'} in ` +
  `${plural(corruptedBytes, 'byte')}, and the stream goes on in step.`

function flips(a: number, b: number): number {
  let bits = 0
  for (let rest = a ^ b; rest > 0; rest &= rest - 1) bits++
  return bits
}
