/** duplicate: a message comes twice, one right behind the other. */
import { messages, type FaultDefinition } from './fault.ts'
import {
  messageBytes,
  mistakeOf,
  parsePerMessage,
  wholeMessages,
  type MessageShare,
} from './message.ts'
import { exactPercent } from '../vocabulary/units.ts'

export interface DuplicateSpec extends MessageShare {
  kind: 'duplicate'
}

export const duplicate: FaultDefinition<DuplicateSpec> = {
  kind: 'duplicate',
  meaning: 'sends this share of the messages back twice',
  sample: '10%',
  example: 'duplicate=10% (of the messages)',
  carries: messages,
  amplifies: true,
  parse: text => ({ kind: 'duplicate', perMessage: parsePerMessage(text) }),
  format: ({ perMessage }) => exactPercent(perMessage),
  mistake: mistakeOf,
  create: ({ perMessage }, { random, hit }) =>
    async function* (chunks) {
      let number = 0
      for await (const message of wholeMessages(chunks)) {
        if (random() < perMessage) {
          hit({ message: number, bytes: messageBytes(message) })
          // The copy has bytes of its own: a later fault may change one message and not the other.
          yield* message.map(chunk => ({ ...chunk, data: Uint8Array.from(chunk.data) }))
        }
        yield* message
        number++
      }
    },
}
