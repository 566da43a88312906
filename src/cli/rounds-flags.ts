/** The flags of `bench` for rounds, and whether the user asked for rounds. */
import { roundsOptions } from '../load/rounds-options.ts'
import { option, type ResolvedOf } from '../options/form.ts'
import { list, typedAs } from '../options/kinds.ts'
import { parseCondition, type Condition } from '../report/fail-if.ts'
import { usageError } from '../vocabulary/errors.ts'

const condition = typedAs<Condition>('<condition>', parseCondition, ({ text }) => text)

export const roundsFlags = {
  ...roundsOptions,
  failIf: option(list(condition), {
    default: [] as Condition[],
    flag: 'fail-if',
    help: "exit 1 if the rounds show it: 'p99>+20%', 'errors>0'; repeatable",
  }),
}

/**
 * Whether the user asked for rounds. @throws UserError for their flags without --against or --serve
 */
export function wantsRounds(typed: Partial<ResolvedOf<typeof roundsFlags>>): boolean {
  const { against, serve, againstServe } = typed
  if (against !== undefined || serve !== undefined || againstServe !== undefined) return true
  const names = Object.keys(typed) as (keyof typeof roundsFlags)[]
  const [first] = names
  if (first === undefined) return false
  throw usageError(`--${roundsFlags[first].flag} is for rounds.`, 'Say --against ADDRESS, too.')
}
