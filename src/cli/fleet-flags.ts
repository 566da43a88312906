/** The flags of `bench` for agents, and what goes with them. */
import type { BenchOptions } from '../bench.ts'
import type { BenchAnywhere } from '../fleet/bench.ts'
import { fleetOptions } from '../fleet/options.ts'
import { fromFlags } from '../options/form.ts'
import { usageError } from '../vocabulary/errors.ts'
import { fleetBroker, fleetToken } from './fleet-token.ts'
import { tell } from './output.ts'

/**
 * The options of a load, with those of its agents.
 * @throws UserError for options of agents without --agents
 */
export function withFleet(load: BenchOptions, flags: Record<string, unknown>): BenchAnywhere {
  const typed = fromFlags(fleetOptions, flags)
  const [first] = Object.keys(typed) as (keyof typeof fleetOptions)[]
  if (load.agents === undefined) {
    if (first !== undefined)
      throw usageError(`--${fleetOptions[first].flag} is for agents.`, 'Say --agents N, too.')
    return load
  }
  const broker =
    typed.brokerListen === undefined || typed.broker !== undefined
      ? fleetBroker(typed.broker)
      : undefined
  return { ...load, ...typed, broker, token: fleetToken(typed.token), onEvent: tell }
}

/**
 * Shows something once `ready` has resolved.
 * @returns a function that ends it
 */
export function afterwards(ready: Promise<unknown>, show: () => () => void): () => void {
  let end: (() => void) | undefined
  let over = false
  ready.then(
    () => {
      if (!over) end = show()
    },
    () => {},
  )
  return () => {
    over = true
    end?.()
  }
}
