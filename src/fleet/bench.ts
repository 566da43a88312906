/** bench(address): by agents if the options ask for them, otherwise from this machine. */
import type { Address } from '../vocabulary/address.ts'
import { benchHere, type BenchOptions, type LoadRun } from '../bench.ts'
import { validateOptions } from '../options/form.ts'
import { FleetRun } from './coordinator.ts'
import { Fleet } from './fleet.ts'
import { fleetOptions, type FleetOptions } from './options.ts'

/**
 * What bench() sends, and from where.
 * @interface
 */
export type BenchAnywhere = BenchOptions & FleetOptions

/**
 * Measures rate and round trips of an echo server, from here or by agents. It starts at once; await
 * `ready` or `finished`: both reject with a UserError if no server answers, agents do not come, or
 * an option makes no sense.
 */
export function bench(address: string | Address, options: BenchAnywhere = {}): LoadRun {
  const [load, fleet] = splitOptions(options)
  if (isHere(load, fleet)) return benchHere(address, load)
  return new FleetRun(
    () => openFleet(fleet),
    address,
    load,
    each => each.close(),
  )
}

/** Splits options into those of the load and those of the fleet. */
export function splitOptions<Options extends object>(
  options: Options & FleetOptions,
): [Omit<Options, keyof FleetOptions>, FleetOptions] {
  const entries = Object.entries(options)
  const isFleet = ([name]: [string, unknown]) => Object.hasOwn(fleetOptions, name)
  const load = Object.fromEntries(entries.filter(entry => !isFleet(entry)))
  const fleet = Object.fromEntries(entries.filter(isFleet)) as FleetOptions
  return [load as Omit<Options, keyof FleetOptions>, fleet]
}

/**
 * Whether the load is sent from this machine. False if any option is for agents, so that such an
 * option without `agents` is refused.
 */
export const isHere = ({ agents }: BenchOptions, fleet: FleetOptions): boolean =>
  agents === undefined && Object.values(fleet).every(value => value === undefined)

export async function openFleet(options: FleetOptions): Promise<Fleet> {
  validateOptions(fleetOptions, options)
  return Fleet.open(options)
}
