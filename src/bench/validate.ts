/**
 * Refuses options that cannot be used together or do not apply to the transport, before anything
 * starts.
 */
import type { Address } from '../vocabulary/address.ts'
import { usageError } from '../vocabulary/errors.ts'
import { parseInstant } from '../vocabulary/instant.ts'
import { formatDuration } from '../vocabulary/units.ts'
import type { BenchOptions } from '../load/options.ts'
import type { Load } from '../load/thread-load.ts'
import type { SizeRange } from '../load/sizes.ts'
import { isDatagrams } from '../vocabulary/transport.ts'
import { checkDatagrams } from './datagram-defaults.ts'

/** The largest message: a whole message must fit into the memory for what is awaited. */
const sizeMaxBytes = 2 ** 30
/** Each message in flight takes 16 bytes of memory. */
const inFlightMax = 4_000_000
/**
 * With a count, the end of a random plan is found by looking at each message, which takes some
 * seconds.
 */
const randomCountMax = 1e8

export function checkSizes(sizes: readonly SizeRange[], address: Address): void {
  if (sizes.length === 0) throw usageError('There must be at least one size.')
  for (const { minBytes, maxBytes, weight } of sizes) {
    for (const bytes of [minBytes, maxBytes])
      if (!Number.isInteger(bytes) || bytes < 1)
        throw usageError('The size of a message must be a whole number from 1 on.')
    if (minBytes > maxBytes)
      throw usageError(
        `The sizes ${minBytes}-${maxBytes} go downwards.`,
        'Write the smaller first.',
      )
    if (maxBytes > sizeMaxBytes) throw usageError('A message has 1 GiB at most.')
    if (isDatagrams(address)) checkDatagrams(minBytes, maxBytes)
    if (!(weight > 0)) throw usageError('The weight of a size must be more than 0.')
  }
}

/** Checks options together. (The table of options, load/options, checks each value by itself.) */
export function checkLoad(load: Load, address: Address): void {
  const { connections, depth, count, idle, churnPerSecond, ratePerSecond } = load
  checkSizes(load.sizes, address)
  if (connections === 0 && idle === 0 && churnPerSecond === 0)
    throw usageError('connections must be a whole number from 1 on.')
  if (load.countCorruption && churnPerSecond > 0)
    throw usageError('Corruption is counted on steady connections only, not with churn.')
  if (load.reconnect && connections === 0)
    throw usageError('Only steady connections are opened again.', 'Say how many: --connections.')
  if (count !== Infinity && connections === 0)
    throw usageError('A count needs connections over which to send.')
  if (ratePerSecond !== undefined && connections === 0)
    throw usageError('A rate needs connections over which to send.')
  if (load.arrivals === 'poisson' && ratePerSecond === undefined && churnPerSecond === 0)
    throw usageError('Arrivals can be chosen for an open loop only.', 'Give a rate, too.')
  if (load.arrivals === 'poisson' && count !== Infinity && count > randomCountMax)
    throw usageError(
      'A count of poisson arrivals has 100,000,000 messages at most.',
      'Say for how long with --duration.',
    )
  if (load.thinkTime !== undefined && ratePerSecond !== undefined)
    throw usageError('A think time is for a closed loop only.', 'Leave the rate or the stages out.')
  if (load.thinkTime !== undefined && depth > 1)
    throw usageError('With a think time a connection has one message in flight.', 'Use --depth 1.')
  if (load.startAt !== undefined) checkStart(load.startAt)
  if (connections * depth > inFlightMax)
    throw usageError('Connections times depth is more than 4,000,000 messages in flight.')
}

/**
 * Refuses slices for commands that make several runs: these do not begin at one instant, and their
 * results are not merged.
 */
export function refuseSlices({ slice, startAt }: Pick<BenchOptions, 'slice' | 'startAt'>): void {
  const name = slice !== undefined ? 'A slice' : startAt !== undefined ? 'A start' : undefined
  if (name !== undefined)
    throw usageError(
      `${name} is for a single run, not for a search or rounds.`,
      'Leave --slice and --start-at out.',
    )
}

/** How far in the future a start may be: a later one is probably a mistake. */
const aheadMaxMs = 24 * 3600e3

function checkStart(text: string): void {
  const aheadMs = parseInstant(text) - Date.now()
  const way = formatDuration(Math.abs(aheadMs))
  if (aheadMs <= 0) throw usageError(`The start ${text} is past: it was ${way} ago.`)
  if (aheadMs > aheadMaxMs)
    throw usageError(`The start ${text} is ${way} ahead.`, 'Name one within the next 24 hours.')
}
