/** The options of rounds: which sides are measured, how often, and which figures are compared. */
import { formatAddress, parseAddress, toAddress, type Address } from '../vocabulary/address.ts'
import { usageError } from '../vocabulary/errors.ts'
import { option, type Kind, type OptionsOf } from '../options/form.ts'
import { count, percent, text, typedAs } from '../options/kinds.ts'

const address = typedAs<Address | string>('<address>', parseAddress, value =>
  typeof value === 'string' ? value : formatAddress(toAddress(value)),
)

const names: Kind<string[]> = {
  placeholder: '<list>',
  parse: typed => typed.split(',').map(name => name.trim()),
  format: value => [value.join(',')],
  mistake: value => (value.length > 0 && value.every(Boolean) ? undefined : 'must name a figure.'),
}

const command: Kind<string> = {
  ...text('<command>'),
  parse(typed) {
    if (typed.trim() === '') throw usageError('There is no command.')
    return typed
  },
}

export const roundsOptions = {
  /** The baseline; without it, the same address with another server. */
  against: option(address, {
    default: undefined,
    flag: 'against',
    help: 'measure in rounds against this address, the baseline',
  }),
  /** How many valid rounds: in each both sides are measured, in an order that a coin decides. */
  rounds: option(count({ min: 2, max: 1_000 }), {
    default: 10,
    flag: 'rounds',
    help: 'how often both sides are measured, for 2s each',
  }),
  /** The command of a server that is started before each run, and ended after it. */
  serve: option(command, {
    default: undefined,
    flag: 'serve',
    help: 'command that serves the address, started afresh for each run',
  }),
  againstServe: option(command, {
    default: undefined,
    flag: 'against-serve',
    help: 'the same for the baseline',
  }),
  /** The figures that are compared. With each further figure any claim needs more evidence. */
  figures: option(names, {
    default: undefined,
    flag: 'figures',
    help: 'what is compared: times and rates',
    defaultText: 'rate,p50,p99; open loop: p50,p99',
  }),
  /** A difference up to this fraction does not matter. */
  margin: option(
    percent(value => (value > 0 ? undefined : 'must be more than 0.')),
    {
      default: 0.05,
      flag: 'margin',
      help: 'the difference that matters',
      defaultText: '5%',
    },
  ),
  /** Decides which side comes first in each round. */
  orderSeed: option(count({ min: 0, max: 2 ** 32 - 1 }), {
    default: undefined,
    flag: 'order-seed',
    help: 'decides which side comes first in each round',
    defaultText: 'a new one each time',
  }),
}

export type RoundsOnly = OptionsOf<typeof roundsOptions>
