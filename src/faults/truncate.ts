/** truncate: FIN after a number of bytes, whatever else the client sends. */
import { exactSize, parseSize } from '../vocabulary/units.ts'
import { connections, first, isCount, type FaultDefinition, type Share } from './fault.ts'

export interface TruncateSpec extends Share {
  kind: 'truncate'
  afterBytes: number
}

export const truncate: FaultDefinition<TruncateSpec> = {
  kind: 'truncate',
  meaning: 'sends FIN after this many bytes',
  sample: '1000',
  example: 'truncate=1000',
  carries: connections,
  amplifies: false,
  parse: text => ({ kind: 'truncate', afterBytes: parseSize(text) }),
  format: ({ afterBytes }) => exactSize(afterBytes),
  mistake: ({ afterBytes }) =>
    isCount(afterBytes, 0) ? undefined : 'truncate needs a whole number of bytes from 0 on.',
  create: ({ afterBytes }, { hit }) =>
    async function* (chunks) {
      if (yield* first(chunks, afterBytes)) hit({ offset: afterBytes })
    },
}
