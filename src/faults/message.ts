/** What the faults of messages share: which messages are hit, and where each message ends. */
import { usageError } from '../vocabulary/errors.ts'
import { parsePercent } from '../vocabulary/units.ts'
import { isNumberWithin, type Chunk, type Share } from './fault.ts'

export interface MessageShare extends Share {
  /** The probability for each message; from 0 to 1. */
  perMessage: number
}

export function parsePerMessage(text: string): number {
  if (!text.endsWith('%')) throw usageError(`'${text}' is not a part of the messages.`)
  return parsePercent(text)
}

export const mistakeOf = ({ perMessage }: MessageShare): string | undefined =>
  isNumberWithin(perMessage, 0, 1) ? undefined : 'The part of the messages goes from 0 to 1.'

/** Yields each message as its chunks; at least one chunk. */
export async function* wholeMessages(
  chunks: AsyncIterable<Chunk>,
): AsyncGenerator<Chunk[], undefined> {
  let message: Chunk[] = []
  for await (const chunk of chunks) {
    message.push(chunk)
    if (chunk.more) continue
    yield message
    message = []
  }
  // A fault before this one may have ended in the middle of a message.
  if (message.length > 0) yield message
}

export const messageBytes = (message: readonly Chunk[]): number =>
  message.reduce((sum, { data }) => sum + data.length, 0)
