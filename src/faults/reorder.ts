/** reorder: a message is overtaken by the one behind it. */
import { messages, type Chunk, type FaultDefinition } from './fault.ts'
import {
  messageBytes,
  mistakeOf,
  parsePerMessage,
  wholeMessages,
  type MessageShare,
} from './message.ts'
import { exactPercent } from '../vocabulary/units.ts'

export interface ReorderSpec extends MessageShare {
  kind: 'reorder'
}

/**
 * A message that is not overtaken within this time goes on: the client may wait for it before it
 * sends.
 */
const waitMs = 100

export const reorder: FaultDefinition<ReorderSpec> = {
  kind: 'reorder',
  meaning: 'sends this share of the messages after the next one',
  sample: '5%',
  example: 'reorder=10% (of the messages)',
  carries: messages,
  amplifies: false,
  parse: text => ({ kind: 'reorder', perMessage: parsePerMessage(text) }),
  format: ({ perMessage }) => exactPercent(perMessage),
  mistake: mistakeOf,
  create: ({ perMessage }, { random, sleepUntil, hit }) =>
    async function* (chunks) {
      const source = wholeMessages(chunks)
      let next = source.next()
      for (let number = 0; ; number++) {
        const { value: message } = await next
        if (!message) return
        if (random() >= perMessage) {
          yield* message
          next = source.next()
          continue
        }
        hit({ message: number, bytes: messageBytes(message) })
        next = source.next()
        const tooLate = performance.now() + waitMs
        const first = await Promise.race([next, sleepUntil(tooLate)])
        if (first?.value) {
          const { value: overtaker } = first
          yield* overtaker
          yield* later(message, overtaker.at(-1)!.at)
          // Each message draws one random number. This draw belongs to the message that overtook,
          // and is not used.
          random()
          number++
          next = source.next()
        } else yield* first ? message : later(message, tooLate)
      }
    },
}

const later = (message: readonly Chunk[], at: number) =>
  message.map(chunk => ({ ...chunk, at: Math.max(chunk.at, at) }))
