/** The options of latency under load: round trips on an idle path, and on one that is full. */
import { option, type OptionsOf } from '../../options/form.ts'
import { textFor } from '../../options/kinds.ts'
import { usageError } from '../../vocabulary/errors.ts'
import { benchOptions } from '../options.ts'
import { varying } from './options.ts'
import { directions, type Direction } from './thread-flows.ts'

/** Flows in each direction that is filled, by default. */
const flowsUsual = 4
const flowsMax = 1_000

export interface Filling {
  direction: Direction
  /** How many flows there are in each direction. */
  flows: number
}

/** `up`, `both:4`. @throws UserError if it is neither */
export function parseFilling(text: string): Filling {
  const [, name, count] = /^(up|down|both)(?::(\d+))?$/.exec(text) ?? []
  const direction = directions.find(each => each === name)
  const flows = count === undefined ? flowsUsual : Number(count)
  if (direction === undefined || flows < 1 || flows > flowsMax)
    throw usageError(
      `'${text}' does not say what to fill.`,
      'Write up, down or both, and how many flows: both:4.',
    )
  return { direction, flows }
}

const { ratePerSecond, sizeBytes, drainMs, timeoutMs } = benchOptions
const { seed, calling, expect } = benchOptions

export const loadedOptions = {
  load: option(textFor('<direction[:flows]>', parseFilling), {
    default: undefined,
    flag: 'load',
    help: 'round trips on the idle path, then while flows fill it: up, down, both:4',
  }),
  ratePerSecond,
  sizeBytes,
  durationMs: varying(benchOptions.durationMs),
  warmupMs: varying(benchOptions.warmupMs),
  drainMs,
  timeoutMs,
  seed,
  calling,
  expect,
}
export type LoadedOptions = OptionsOf<typeof loadedOptions>
/** The row that bench has in addition to its own. */
export const { load: loadOption } = loadedOptions
