/**
 * The token of a dashboard: from a file or from the environment. On the command line `ps` would
 * show it to every user of the machine.
 */
import { usageError } from '../vocabulary/errors.ts'

const variable = 'YODEL_TOKEN'

/**
 * @param fromFile the content of the file that an option names; it precedes the environment
 * @throws UserError if it is empty: a user who wants to keep others out must not admit them
 */
export function givenToken(fromFile: string | undefined): string | undefined {
  const token = fromFile?.trim() ?? process.env[variable]
  if (token !== '') return token
  const where = fromFile === undefined ? variable : 'The token file'
  throw usageError(`${where} is empty.`, 'Write a token of 16 characters or more into it.')
}
