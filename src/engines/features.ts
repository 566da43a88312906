/** What a task may ask of an engine, so that nothing is asked in vain and silently ignored. */
import type { Task } from '../task.ts'
import { transportNames, type TransportName } from '../vocabulary/transport.ts'

/** Beside the transports: each ends a sentence that begins with `The NAME engine cannot`. */
const abilities = {
  serve: 'serve',
  load: 'send a load',
  churn: 'open short connections (churn)',
  idle: 'hold idle connections',
  faults: 'inject faults',
  'busy-poll': 'poll busily',
  'share-port': 'share a port among threads',
  'proxy-protocol': 'read PROXY headers',
  'send-proxy': 'send a PROXY header',
  inherit: 'take over a socket that is open already',
  ledger: 'list its clients',
} as const

export type Feature = TransportName | keyof typeof abilities
export const features = [...transportNames, ...Object.keys(abilities)] as Feature[]

export const phraseOf = (feature: Feature): string =>
  Object.hasOwn(abilities, feature)
    ? abilities[feature as keyof typeof abilities]
    : `speak ${feature}`

/**
 * What a task needs. An option that not every engine has gets its row here. A ledger is not needed:
 * a server without one serves as well, and a note tells the user that there is none.
 */
export function wantedBy(task: Task): Feature[] {
  const wanted: [Feature, boolean][] = [
    [task.address.transport, true],
    [task.kind, true],
    ...(task.kind === 'serve' ? wantedOfServing(task) : wantedOfLoad(task)),
  ]
  return wanted.filter(([, is]) => is).map(([feature]) => feature)
}

const wantedOfServing = (task: Extract<Task, { kind: 'serve' }>): [Feature, boolean][] => [
  ['faults', task.faults !== undefined],
  ['busy-poll', task.busyPollUs > 0],
  ['share-port', task.sharePort],
  ['proxy-protocol', task.proxy !== undefined],
  ['inherit', task.inheritedFd !== undefined],
]

const wantedOfLoad = (task: Extract<Task, { kind: 'load' }>): [Feature, boolean][] => [
  ['churn', task.churn !== undefined],
  ['idle', task.idle > 0],
  ['send-proxy', task.calling.sendProxy !== undefined],
]
