/** What makes no sense is refused before anything starts. */
import { usageError } from '../errors.ts'
import { arrivalNames } from '../load/pacer.ts'
import type { SizeRange } from '../load/sizes.ts'
import type { Address } from '../address.ts'
import { isDatagrams } from '../transport.ts'
import { checkDatagrams } from './datagrams.ts'
import type { Load } from './plan.ts'

/** The largest message: all of one has to fit into what is waited for. */
const sizeMaxBytes = 2 ** 30
/** What is in flight has 16 bytes each of memory. */
const inFlightMax = 4_000_000
const ratePerSecondMax = 1e9

function checkWhole(numbers: Record<string, number>, min = 1) {
  for (const [name, value] of Object.entries(numbers))
    if (!Number.isInteger(value) || value < min)
      throw usageError(`${name} must be a whole number from ${min} on.`)
}

function checkDuration(name: string, ms: number) {
  if (!(ms >= 0)) throw usageError(`${name} must be 0 or more.`)
}

export function checkSizes(sizes: readonly SizeRange[], address: Address): void {
  if (sizes.length === 0) throw usageError('There must be at least one size.')
  for (const { minBytes, maxBytes, weight } of sizes) {
    checkWhole({ 'The size of a message': minBytes })
    checkWhole({ 'The size of a message': maxBytes })
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

type Checked = Partial<Omit<Load, 'payload' | 'sizes' | 'address'>> &
  Pick<Load, 'connections' | 'depth' | 'count' | 'durationMs' | 'threads'>

export function checkLoad(load: Checked): void {
  const { connections, depth, count, durationMs, threads, seed = 0 } = load
  const { idle = 0, churnPerSecond = 0, ratePerSecond, arrivals = 'even' } = load
  const otherwise = idle > 0 || churnPerSecond > 0
  checkWhole({ connections }, otherwise ? 0 : 1)
  checkWhole({ depth, threads, ...(count !== Infinity && { count }) })
  checkWhole({ idle, seed }, 0)
  if (threads > 256) throw usageError('There are 256 threads at most.')
  if (seed > 2 ** 32 - 1) throw usageError('The seed has 32 bits: it is below 4,294,967,296.')
  if (!(durationMs > 0)) throw usageError('The duration must be more than 0.')
  if (load.timeoutMs !== undefined && !(load.timeoutMs > 0))
    throw usageError('The timeout must be more than 0.')
  checkDuration('The drain time', load.drainMs ?? 0)
  checkDuration('The warm-up', load.warmupMs ?? 0)
  if (load.warmupMs === Infinity) throw usageError('The warm-up has to end some time.')
  for (const [name, rate] of [
    ['rate', ratePerSecond],
    ['churn', churnPerSecond || undefined],
  ] as const)
    if (rate !== undefined && !(rate > 0 && rate <= ratePerSecondMax))
      throw usageError(`The ${name} must be more than 0, and at most 1G/s.`)
  if (!(churnPerSecond >= 0)) throw usageError('The churn must be more than 0.')
  if (load.countCorruption && churnPerSecond > 0)
    throw usageError('Corruption is counted on steady connections only, not with churn.')
  if (count !== Infinity && connections === 0)
    throw usageError('A count needs connections over which to send.')
  if (ratePerSecond !== undefined && connections === 0)
    throw usageError('A rate needs connections over which to send.')
  if (arrivals === 'poisson' && ratePerSecond === undefined && churnPerSecond === 0)
    throw usageError('Arrivals are those of an open loop.', 'Say its rate too.')
  if (!arrivalNames.includes(arrivals))
    throw usageError(`There are no ${arrivals as string} arrivals.`, 'They are even or poisson.')
  if (connections * depth > inFlightMax)
    throw usageError('Connections times depth is more than 4,000,000 messages in flight.')
}
