/** The secrets of a fleet come from files or from the environment: `ps` shows a command line. */
import { brokerVariable, parseBrokerUrl, withoutSecret } from '../fleet/broker-url.ts'
import { usageError } from '../vocabulary/errors.ts'

const tokenVariable = 'YODEL_FLEET_TOKEN'

/** @param fromFile the content of the file that was named; @throws UserError if it is empty */
export function fleetToken(fromFile: string | undefined): string | undefined {
  const token = fromFile?.trim() ?? process.env[tokenVariable]
  if (token !== '') return token
  const where = fromFile === undefined ? tokenVariable : 'The token file'
  throw usageError(`${where} is empty.`, 'Write a token of 16 characters or more into it.')
}

/** The URL that was typed, or that of the environment. @throws UserError */
export function fleetBroker(typed: string | undefined): string | undefined {
  if (typed !== undefined) return withoutSecret(typed)
  const known = process.env[brokerVariable]
  if (known === undefined || known === '') return undefined
  parseBrokerUrl(known)
  return known
}
