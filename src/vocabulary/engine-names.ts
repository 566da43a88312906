/** The engines: the ways of asking the operating system to move bytes, and what each can do. */
import { transportNames, type TransportName } from './transport.ts'

/**
 * Abilities other than the transports; each ends a sentence that begins with `The NAME engine
 * cannot`.
 */
export const abilities = {
  serve: 'serve',
  load: 'send a load',
  flow: 'send in one direction',
  sharePort: 'share a port among threads',
  ledger: 'list its clients',
  accounts: 'keep accounts of its clients',
} as const
export type Ability = keyof typeof abilities

interface EngineRow {
  can: readonly Ability[]
  speaks: readonly TransportName[]
  /** Transports for which `auto` takes another engine, so that this one has to be named. */
  onlyByName?: readonly TransportName[]
}

/** What each engine can do. Its options are not here, but in the rows of the options (`where`). */
export const engineTable = {
  node: {
    can: ['serve', 'load', 'flow', 'sharePort', 'ledger', 'accounts'],
    speaks: transportNames,
  },
  uring: {
    can: ['serve', 'load', 'sharePort', 'ledger'],
    speaks: ['tcp', 'unix', 'tls', 'udp', 'ws', 'wss'],
    onlyByName: ['tls', 'ws', 'wss'],
  },
  // The blocking engine has threads of its own, so it shares no port: see concurrency.
  blocking: { can: ['serve', 'ledger'], speaks: ['tcp', 'unix'] },
} as const satisfies Record<string, EngineRow>

export type EngineName = keyof typeof engineTable
export const engineNames = Object.keys(engineTable) as EngineName[]

export const engineCan = (name: EngineName, ability: Ability): boolean =>
  (engineTable[name] as EngineRow).can.includes(ability)
export const engineSpeaks = (name: EngineName, transport: TransportName): boolean =>
  (engineTable[name] as EngineRow).speaks.includes(transport)
/** Whether `auto` may take this engine for this transport. */
export const autoTakes = (name: EngineName, transport: TransportName): boolean =>
  !(engineTable[name] as EngineRow).onlyByName?.includes(transport)

/** The values of --engine: `auto` takes the first engine that can do the task. */
export type WantedEngine = 'auto' | EngineName
/** The values of --engine for a server, or for a load. */
export const wantedEnginesTo = (ability: Ability): WantedEngine[] => [
  'auto',
  ...engineNames.filter(name => engineCan(name, ability)),
]
