/**
 * The options of what is sent in one direction: those of a load that make sense, and the direction.
 */
import { option, type Option } from '../../options/form.ts'
import { choice } from '../../options/kinds.ts'
import { usageError } from '../../vocabulary/errors.ts'
import { benchOptions } from '../options.ts'
import { sizeMaxBytes } from '../../wire/direction/hello.ts'
import { isDatagrams, type TransportName } from '../../vocabulary/transport.ts'
import { formatCount } from '../../vocabulary/units.ts'
import { payloadHeadBytes } from '../../wire/udp/payload-head.ts'
import type { SizeRange } from '../sizes.ts'

const { connections, ratePerSecond, drainMs, timeoutMs } = benchOptions
const { engine, threads, seed, calling, expect } = benchOptions

/**
 * A row whose default depends on the transport. So the command that repeats a run contains the
 * value.
 */
export const varying = <T>(row: Option<T>): Option<T, undefined> => ({ ...row, default: undefined })

/** The options that bench and flood have in common. */
export const directionOptions = {
  direction: option(choice(['echo', 'up', 'down', 'both'], 'direction'), {
    default: 'echo',
    flag: 'direction',
    help: 'up sends, down receives, both: each end verifies what arrives',
    defaultText: 'echo',
  }),
  connections,
  sizeBytes: varying(benchOptions.sizeBytes),
  ratePerSecond,
  durationMs: varying(benchOptions.durationMs),
  warmupMs: varying(benchOptions.warmupMs),
  drainMs,
  timeoutMs,
  engine,
  threads,
  seed,
  calling,
  expect,
}
/** The row that the commands have in addition to their own. */
export const { direction: directionOption } = directionOptions

/** Options of flood only with --direction: without it, the message itself decides its size. */
export const floodDirectionOptions = {
  sizeBytes: {
    ...directionOptions.sizeBytes,
    help: 'with --direction: bytes of payload in a message; udp: in a datagram',
    defaultText: '64k; udp: 1200',
  },
  warmupMs: {
    ...directionOptions.warmupMs,
    help: 'with --direction: leave out this much time at the beginning',
    defaultText: '0s',
  },
}

/** Bytes of payload in a frame, by default. */
export const frameBytes = sizeMaxBytes

/** The default size of a datagram, with its header. */
const datagramBytes = 1_200
const datagramMaxBytes = 65_507
/** Datagrams per second, by default: almost 10 Mbit/s. */
export const datagramRate = 1_000

/** @throws UserError if the size is not a single one, or too large */
export function singleSize(transport: TransportName, wanted?: number | SizeRange[]): number {
  const isDatagram = isDatagrams({ transport })
  const sizes = wanted ?? (isDatagram ? datagramBytes : frameBytes)
  const [least, most] = isDatagram ? [payloadHeadBytes + 1, datagramMaxBytes] : [1, sizeMaxBytes]
  const [first, ...others] =
    typeof sizes === 'number' ? [{ minBytes: sizes, maxBytes: sizes }] : sizes
  if (!first || others.length > 0 || first.minBytes !== first.maxBytes)
    throw usageError('In one direction all messages have one size.', 'Write for example 1400.')
  const bytes = first.minBytes
  if (!Number.isInteger(bytes) || bytes < least || bytes > most)
    throw usageError(
      `In one direction a message has ${least} to ${formatCount(most)} bytes, not ${bytes}.`,
    )
  return bytes
}
