/** findMax(address): by agents if the options ask for them, otherwise from this machine. */
import type { Address } from '../vocabulary/address.ts'
import { findMaxHere } from '../bench/find-max.ts'
import type { FindMaxOptions as FindMaxHere, FindMaxRun } from '../bench/find-max.ts'
import { isHere, openFleet, splitOptions } from './bench.ts'
import { FleetRun } from './coordinator.ts'
import type { Fleet } from './fleet.ts'
import type { FleetOptions } from './options.ts'

/**
 * What findMax() searches, and from where.
 * @interface
 */
export type FindMaxAnywhere = FindMaxHere & FleetOptions

/** Searches for the highest rate; agents stay for all of its runs. */
export function findMax(address: string | Address, options: FindMaxAnywhere): FindMaxRun {
  const [load, fleet] = splitOptions(options)
  const { agents, ...rest } = load
  if (isHere(load, fleet)) return findMaxHere(address, rest)
  let opened: Promise<Fleet> | undefined
  const run = findMaxHere(address, rest, (target, each) => {
    // A probe may have fewer connections than there are agents.
    const few = agents && Math.min(agents, each.connections || agents)
    opened ??= openFleet(fleet)
    const shared = opened
    return new FleetRun(
      () => shared,
      target,
      { ...each, agents: few },
      () => Promise.resolve(),
    )
  })
  const finished = leaving(run.finished, () => opened)
  finished.catch(() => {})
  return {
    finished,
    get connected() {
      return run.connected
    },
    stop: () => run.stop(),
  }
}

async function leaving<T>(run: Promise<T>, opened: () => Promise<Fleet> | undefined): Promise<T> {
  try {
    return await run
  } finally {
    await (await opened()?.catch(() => undefined))?.close()
  }
}
