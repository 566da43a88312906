/** The faults of the listeners, in the notation of the command line. */
import { quoted } from '../vocabulary/text.ts'
import type { FaultSpec } from '../faults/index.ts'
import { formatFault, parseFault } from '../faults/parse.ts'
import { checkFaults } from '../faults/applicable.ts'
import type { Server } from '../serve.ts'
import type { Calling } from '../options/calling.ts'
import type { FaultsWanted, ListenerFaults } from './api.ts'
import { Refused } from './refused.ts'

/** A limit, since each fault costs processor time for every chunk. */
const faultsMax = 20

/** A listener, with details that its handle does not have. */
export interface OwnListener {
  readonly server: Server
  /** The faults that it was started with; undefined if it cannot have faults. */
  readonly faults: readonly FaultSpec[] | undefined
  /**
   * The arguments that it was started with, without its faults, for a command that repeats them.
   */
  readonly options?: readonly string[] | undefined
  /** What a client in this process needs to be admitted. */
  readonly calling?: Calling | undefined
}

export class Faults {
  readonly #listeners: readonly OwnListener[]

  constructor(listeners: readonly OwnListener[]) {
    this.#listeners = listeners
  }

  /** Why the faults of a listener cannot be changed; null if they can. */
  fixedBecause(listener: number): string | null {
    const { server, faults } = this.#listeners[listener]!
    if (faults !== undefined) return null
    const cure = 'Start it with --engine node to inject some.'
    return `The ${server.engine} engine cannot inject faults. ${cure}`
  }

  list(): ListenerFaults[] {
    return this.#listeners.map(({ server, options = [] }, listener) => {
      const faults = (server.faults ?? []).map(formatFault)
      const needsEngine = faults.length > 0 && !options.includes('--engine')
      const engine = needsEngine ? ['--engine', 'node'] : []
      const words = [...options, ...engine, ...faults.flatMap(fault => ['--fault', fault])]
      const command = ['yodel', 'serve', server.url, ...words].map(quoted).join(' ')
      return { listener, faults, command }
    })
  }

  /**
   * @throws UserError if one makes no sense
   * @throws Refused if there is no such listener, or its faults are fixed
   */
  async put({ listener, faults }: FaultsWanted): Promise<void> {
    if (faults.length > faultsMax)
      throw new Refused(400, `There may be ${faultsMax} faults at most.`)
    const specs = faults.map(text => parseFault(text.trim()))
    const wanted = this.#wanted(listener).map(index => this.#listeners[index]!.server)
    // Sets all or none: the faults may apply to one listener and not to the next.
    for (const server of wanted) checkFaults(specs, server.address)
    for (const server of wanted) await server.setFaults(specs)
  }

  /** The listener that is named; if none is, all listeners that can have faults. */
  #wanted(listener: number | undefined): number[] {
    const all = this.#listeners.map((_, index) => index)
    const named = listener === undefined ? all : all.filter(index => index === listener)
    if (named.length === 0) throw new Refused(404, `There is no listener ${listener}.`)
    const changeable = named.filter(index => this.fixedBecause(index) === null)
    if (changeable.length === 0) throw new Refused(409, this.fixedBecause(named[0]!)!)
    return changeable
  }

  /** Back to what they were started with. */
  async reset(): Promise<void> {
    for (const { server, faults } of this.#listeners) if (faults) await server.setFaults(faults)
  }
}
