/** The error of a client whose server does not serve directions. */
import { formatAddress, type Address } from '../../../vocabulary/address.ts'
import { UserError } from '../../../vocabulary/errors.ts'

const usualHint = 'Serve it with `yodel serve --directions`.'

/** @param what what the server does instead: the end of a sentence that begins with `it` */
export const notServed = (address: Address, what: string, hint = usualHint): UserError =>
  new UserError('network', `${formatAddress(address)} does not serve directions: it ${what}`, hint)
