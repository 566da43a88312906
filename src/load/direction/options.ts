/** The options of what is sent in one direction: those of a load that make sense, and which way. */
import { option } from '../../options/form.ts'
import { choice } from '../../options/kinds.ts'
import { usageError } from '../../vocabulary/errors.ts'
import { benchOptions } from '../options.ts'
import { sizeMaxBytes } from '../../wire/direction/hello.ts'
import type { SizeRange } from '../sizes.ts'

const { connections, ratePerSecond, durationMs, warmupMs, drainMs, timeoutMs, sizeBytes } =
  benchOptions
const { engine, threads, seed, calling } = benchOptions

/** What bench and flood have in common, and nothing else. */
export const directionOptions = {
  direction: option(choice(['echo', 'up', 'down', 'both'], 'direction'), {
    default: 'echo',
    flag: 'direction',
    help: 'up sends, down receives, both: each end verifies what arrives',
    defaultText: 'echo',
  }),
  connections,
  sizeBytes,
  ratePerSecond,
  durationMs,
  warmupMs,
  drainMs,
  timeoutMs,
  engine,
  threads,
  seed,
  calling,
}
/** The row that the commands have beside their own. */
export const { direction: directionOption } = directionOptions

/** Of payload in a frame, where nothing else is said. */
export const frameBytes = sizeMaxBytes

/** @throws UserError if it is no single size, or too large for a frame */
export function singleSize(sizes: number | SizeRange[] = frameBytes): number {
  const [first, ...others] =
    typeof sizes === 'number' ? [{ minBytes: sizes, maxBytes: sizes }] : sizes
  if (!first || others.length > 0 || first.minBytes !== first.maxBytes)
    throw usageError('In one direction all messages have one size.', 'Write for example 1400.')
  const bytes = first.minBytes
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > sizeMaxBytes)
    throw usageError(`In one direction a message has 1 to 65,536 bytes, not ${bytes}.`)
  return bytes
}
