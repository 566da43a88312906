/** reset: RST after a number of bytes, or after a time. */
import { exactDuration, exactSize, parseDuration, parseSize } from '../vocabulary/units.ts'
import {
  connections,
  first,
  isCount,
  isNumberWithin,
  Reset,
  type FaultDefinition,
  type Share,
} from './fault.ts'

/**
 * The pause between the last byte and RST. Many systems discard unread data when RST comes, and
 * Node emits `end` instead of ECONNRESET if both come together.
 */
const settleMs = 20

/** Exactly one of the two is given. */
export interface ResetSpec extends Share {
  kind: 'reset'
  afterBytes?: number | undefined
  /** Counted from when the connection began to be served. */
  afterMs?: number | undefined
}

export const reset: FaultDefinition<ResetSpec> = {
  kind: 'reset',
  meaning: 'resets the connection (RST) after this many bytes, or after 2s',
  sample: '1000',
  example: 'reset=1000 (bytes) or reset=2s',
  carries: connections,
  amplifies: false,
  parse: text =>
    /[a-z]$/.test(text) && !/[kMG]i?B?$/.test(text)
      ? { kind: 'reset', afterMs: parseDuration(text) }
      : { kind: 'reset', afterBytes: parseSize(text) },
  format: ({ afterBytes, afterMs = 0 }) =>
    afterBytes === undefined ? exactDuration(afterMs) : exactSize(afterBytes),
  mistake({ afterBytes, afterMs }) {
    if ((afterBytes === undefined) === (afterMs === undefined))
      return 'reset needs a number of bytes or a time, not both.'
    if (isCount(afterBytes ?? 0, 0) && isNumberWithin(afterMs ?? 0, 0)) return undefined
    return 'reset needs a whole number of bytes, or a time, from 0 on.'
  },
  create({ afterBytes = Infinity, afterMs }, { openedAt, sleepUntil, reset, hit }) {
    if (afterMs !== undefined) {
      // A connection that has ended needs no reset.
      const wait = sleepUntil(openedAt + afterMs)
      wait.then(
        () => reset({ ms: afterMs }),
        () => {},
      )
    }
    return async function* (chunks) {
      if (!(yield* first(chunks, afterBytes))) return
      hit({ offset: afterBytes })
      if (afterBytes > 0) await sleepUntil(performance.now() + settleMs)
      throw new Reset()
    }
  },
}
