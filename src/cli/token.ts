/**
 * The token of a dashboard: from a file or from the environment, since `ps` shows the command line
 * to every user of the machine.
 */
import { usageError } from '../vocabulary/errors.ts'

const variable = 'YODEL_TOKEN'

/**
 * @param fromFile the content of the file that an option names; it has precedence over the
 * environment
 * @throws UserError if it is empty: otherwise a user who wants a token would get a server without
 * one
 */
export function givenToken(fromFile: string | undefined): string | undefined {
  const token = fromFile?.trim() ?? process.env[variable]
  if (token !== '') return token
  const where = fromFile === undefined ? variable : 'The token file'
  throw usageError(`${where} is empty.`, 'Write a token of 16 characters or more into it.')
}
