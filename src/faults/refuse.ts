/** refuse: RST as soon as the connection is accepted. */
import { usageError } from '../vocabulary/errors.ts'
import { connections, Reset, type FaultDefinition, type Share } from './fault.ts'

export interface RefuseSpec extends Share {
  kind: 'refuse'
}

export const refuse: FaultDefinition<RefuseSpec> = {
  kind: 'refuse',
  meaning: 'resets each connection (RST) as soon as it is accepted',
  sample: '',
  example: 'refuse or refuse:10%',
  carries: connections,
  amplifies: false,
  parse(text) {
    if (text !== '') throw usageError(`refuse has no value, so '${text}' means nothing.`)
    return { kind: 'refuse' }
  },
  format: () => '',
  mistake: () => undefined,
  create: (_, { hit }) =>
    // oxlint-disable-next-line require-yield
    async function* () {
      hit({})
      throw new Reset()
    },
}
