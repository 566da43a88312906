/** benchHere(address), flood(address): verified load, measured. They differ in what they send. */
import { toOwnAddress, type Address } from './vocabulary/address.ts'
import { checkLoad } from './bench/validate.ts'
import { ofTransport, overheadBytes } from './bench/datagram-defaults.ts'
import { startLoad, type LoadRun, type StartHooks } from './bench/run.ts'
import { benchOptions, floodOptions, type BenchOptions, type FloodOptions } from './load/options.ts'
import type { Load } from './load/thread-load.ts'
import { lengthMs, meanRate, stagesOf } from './load/stages.ts'
import { usageError } from './vocabulary/errors.ts'
import { validateOptions, defaultsOf, resolve } from './options/form.ts'

export type { LoadRun } from './bench/run.ts'
export type { BenchOptions, FloodOptions, LoadOptions } from './load/options.ts'

export const benchDefaults = defaultsOf(benchOptions)
export const floodDefaults = defaultsOf(floodOptions)

/** How long a bench measures; without end if there is a count. */
export const durationOf = ({ durationMs, count }: BenchOptions): number =>
  durationMs ?? (count === undefined ? benchDefaults.durationMs : Infinity)

/** Sends the same message for ever, or until a limit is reached. */
export function flood(address: string | Address, options: FloodOptions = {}): LoadRun {
  return startLoad('flood', address, floodOptions, options, () => {
    validateOptions(floodOptions, options)
    const target = toOwnAddress(address)
    const defaults = ofTransport(target, options, floodDefaults)
    const { message, ...load } = resolve(floodOptions, options, defaults)
    const bytes = typeof message === 'string' ? Buffer.from(message) : message
    const sizeBytes = bytes.length + overheadBytes(target)
    const flooding = {
      // Options that only bench has are off.
      ...benchDefaults,
      warmupMs: 0,
      ...load,
      payload: { kind: 'repeat' as const, message: bytes },
      sizes: [{ minBytes: sizeBytes, maxBytes: sizeBytes, weight: 1 }],
    }
    checkLoad(flooding, target)
    return flooding
  })
}

/**
 * Measures rate and round trips of an echo server. It starts at once; await `ready` or `finished`:
 * both reject with a UserError if no server answers or an option makes no sense.
 */
export function benchHere(
  address: string | Address,
  options: BenchOptions = {},
  hooks: StartHooks = {},
): LoadRun {
  const prepare = () => prepareBench(address, options)
  return startLoad('bench', address, benchOptions, options, prepare, hooks)
}

/**
 * The load of a bench with these options.
 * @throws UserError if one makes no sense
 */
export function prepareBench(address: string | Address, options: BenchOptions): Load {
  validateOptions(benchOptions, options)
  if (options.agents !== undefined)
    throw usageError('Agents send a single run or a search, no rounds.', 'Leave --agents out.')
  const target = toOwnAddress(address)
  const wanted = withRateOfStages(options)
  const usual = { ...benchDefaults, durationMs: durationOf(wanted) }
  const defaults = ofTransport(target, wanted, usual)
  const { sizeBytes, ...load } = resolve(benchOptions, wanted, defaults)
  const sizes =
    typeof sizeBytes === 'number'
      ? [{ minBytes: sizeBytes, maxBytes: sizeBytes, weight: 1 }]
      : sizeBytes
  const measuring = { ...load, payload: { kind: 'seeded' as const, seed: load.seed }, sizes }
  checkLoad(measuring, target)
  return measuring
}

const besideStages = { ratePerSecond: 'rate', durationMs: 'duration', count: 'count' } as const

/** Takes duration and rate from the stages; the rate is their mean. */
export function withRateOfStages(options: BenchOptions): BenchOptions {
  const stages = stagesOf(options)
  if (!stages) return options
  const beside = (['ratePerSecond', 'durationMs', 'count'] as const).find(
    name => options[name] !== undefined && options[name] !== Infinity,
  )
  if (beside !== undefined)
    throw usageError(
      `Stages decide rate and duration, so no ${besideStages[beside]} can be given, too.`,
      'Leave --rate, --duration and --count out.',
    )
  return {
    ...options,
    ratePerSecond: meanRate(stages),
    durationMs: lengthMs(stages),
    warmupMs: options.warmupMs ?? 0,
  }
}
