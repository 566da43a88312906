/** drop: a message is lost. */
import { messages, type FaultDefinition } from './fault.ts'
import {
  messageBytes,
  mistakeOf,
  parsePerMessage,
  wholeMessages,
  type MessageShare,
} from './message.ts'
import { exactPercent } from '../vocabulary/units.ts'

export interface DropSpec extends MessageShare {
  kind: 'drop'
}

export const drop: FaultDefinition<DropSpec> = {
  kind: 'drop',
  meaning: 'drops this share of the messages',
  sample: '10%',
  example: 'drop=10% (of the messages)',
  carries: messages,
  amplifies: false,
  parse: text => ({ kind: 'drop', perMessage: parsePerMessage(text) }),
  format: ({ perMessage }) => exactPercent(perMessage),
  mistake: mistakeOf,
  create: ({ perMessage }, { random, hit }) =>
    async function* (chunks) {
      let number = 0
      for await (const message of wholeMessages(chunks)) {
        if (random() < perMessage) hit({ message: number, bytes: messageBytes(message) })
        else yield* message
        number++
      }
    },
}
