/** The errors of a client whose server does not serve directions, or refuses one. */
import { formatAddress, type Address } from '../../../vocabulary/address.ts'
import { UserError } from '../../../vocabulary/errors.ts'
import { printable } from '../../../vocabulary/text.ts'

const usualHint = 'Serve it with `yodel serve --directions`.'

/** @param what what the server does instead: the end of a sentence that begins with `it` */
export const notServed = (address: Address, what: string): UserError =>
  new UserError(
    'network',
    `${formatAddress(address)} does not serve directions: it ${what}`,
    usualHint,
  )

/** @param said by the server: the reason */
export const refusedBy = (address: Address, said: unknown): UserError => {
  const reason = printable(String(said))
  const hint = reason.includes('--max-rate') ? 'Ask for less with --rate.' : ''
  return new UserError('network', `${formatAddress(address)} refused: ${reason}.`, hint)
}
