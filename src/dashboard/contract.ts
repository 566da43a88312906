/**
 * What the API takes and gives, written once. Its types (api.ts), the checks of what a request
 * sends (body.ts) and docs/openapi.json (openapi.ts) are made from it.
 */
import { engineNames } from '../vocabulary/engine-names.ts'
import { transportNames } from '../vocabulary/transport.ts'
import { faultKinds } from '../faults/index.ts'
import { accountSchemas } from './contract-accounts.ts'
import { about, boolean, instant, array, number, object, oneOf, optional, orNull } from './shape.ts'
import { row, string, wholeNumber, type ObjectShape } from './shape.ts'

const listener = about('Index of the listener.', wholeNumber())

export const apiError = object('Error', {
  error: about('One sentence.', string),
  hint: about('What to try; may be empty.', string),
})

export const faultKindInfo = object('FaultKindInfo', {
  kind: oneOf(faultKinds),
  meaning: about('What it does.', string),
  sample: about('What a form offers behind the =; empty if the kind is enough.', string),
})

export const listenerInfo = object('ListenerInfo', {
  index: about('Its place in the list: how the other calls name it.', wholeNumber()),
  url: string,
  engine: oneOf(engineNames),
  fingerprint: about(
    'SHA-256 of its certificate, as --pin takes it; null without TLS.',
    orNull(string),
  ),
  concurrency: about(
    'How many are served at the same time; null: no limit.',
    orNull(wholeNumber()),
  ),
  notes: about('Sentences about what differs from what was asked for.', array(string)),
  faultsFixedBecause: about('Why its faults cannot be changed; null if they can.', orNull(string)),
  faultKinds: about('Kinds of faults that make sense on its transport.', array(faultKindInfo)),
})

export const serverInfo = object('ServerInfo', {
  version: string,
  startedAt: instant,
  pid: wholeNumber(),
  draining: about('Stopping: no longer ready.', boolean),
  benchAnywhere: about("Whether bench may go to other addresses than the server's own.", boolean),
  listeners: array(listenerInfo),
})

export const figures = object(
  'Figures',
  {
    open: about('Connections served, at its end.', wholeNumber()),
    waiting: about(
      'Clients waiting, at its end; null where that is not known.',
      orNull(wholeNumber()),
    ),
    opened: wholeNumber(),
    closed: wholeNumber(),
    echoes: about('Chunks that were echoed.', wholeNumber()),
    bytesIn: number(),
    bytesOut: number(),
    errors: about('Connections that failed, whatever the reason.', wholeNumber()),
    faultsInjected: wholeNumber(),
  },
  'What happened within one second.',
)

export const second = object(
  'Second',
  {
    at: about('When it ended, in milliseconds since 1970.', number()),
    ...figures.fields,
    listeners: about('The same for each listener, in the order of ServerInfo.', array(figures)),
  },
  'What happened within one second, over all listeners.',
)

const laneActivity = about(
  'The second since servedFrom, and the bytes in it.',
  row<[second: number, bytes: number]>(wholeNumber(), number()),
)

export const lane = object(
  'Lane',
  {
    id: string,
    listener,
    peer: string,
    waitingFrom: about('When it was first seen waiting; null: served at once.', orNull(number())),
    servedFrom: about('When it began to be served; null while it waits.', orNull(number())),
    until: about('When it ended; null while it is there.', orNull(number())),
    activity: about(
      'Bytes in and out within each second in which there were any, at most 900 of them.',
      array(laneActivity),
    ),
  },
  'The life of one client, for the timeline. At most 500 are kept, the newest.',
)

/** Bytes that moved on a lane: id, second since `servedFrom`, bytes. */
export const activity = row<[id: string, second: number, bytes: number]>(
  string,
  wholeNumber(),
  number(),
)

export const connectionRow = object('ConnectionRow', {
  id: string,
  listener,
  peer: string,
  realPeer: about('The client behind a proxy with the PROXY protocol.', orNull(string)),
  transport: oneOf(transportNames),
  engine: oneOf(engineNames),
  openedAt: instant,
  bytesIn: number(),
  bytesOut: number(),
  bytesPerSecond: about('In and out, within the last second.', number()),
  unsentBytes: about('Waiting in the program to be sent.', number()),
  idleMs: about('How long no byte has moved.', number()),
  waiting: about('It waits to be served: only id, listener, peer and openedAt are valid.', boolean),
})

export const connectionPage = object('ConnectionPage', {
  total: about('All connections.', wholeNumber()),
  matched: about('Those that filter and listener match.', wholeNumber()),
  killable: about(
    'How many of these are served: a client that waits cannot be killed.',
    wholeNumber(),
  ),
  rows: about('From `offset` on.', array(connectionRow)),
})

/** The columns by which connections can be sorted. */
export const sortKeys = [
  'peer',
  'openedAt',
  'bytesPerSecond',
  'bytesIn',
  'bytesOut',
  'unsentBytes',
  'idleMs',
] as const

const filter = about('A part of peer, real peer or transport.', optional(string))
const ofListener = about('Index of a listener: only its connections.', optional(wholeNumber()))

export const rowsStandard = 100

export const connectionQuery = object('', {
  sort: about('Column.', optional(oneOf(sortKeys), 'openedAt')),
  order: about('Direction.', optional(oneOf(['asc', 'desc']), 'asc')),
  listener: ofListener,
  filter,
  offset: about('Skip this many.', optional(wholeNumber())),
  limit: about('At most this many.', optional(wholeNumber({ most: 500 }), rowsStandard)),
})

export const killQuery = object('', {
  filter,
  all: about('Instead of a filter.', optional(oneOf(['true']))),
  listener: ofListener,
})

export const killed = object('Killed', { killed: wholeNumber() })

export const listenerFaults = object(
  'ListenerFaults',
  {
    listener,
    faults: array(string),
    command: about('Starts a server with these faults.', string),
  },
  'Faults are written as on the command line: delay=50ms:10%.',
)

export const faultsWanted = object('FaultsWanted', {
  listener: about('Index of the listener; all of them without it.', optional(wholeNumber())),
  faults: array(string),
})

/** The options of a bench; their limits keep a page from loading the machine for long. */
export const benchWanted = object('BenchWanted', {
  address: about(
    "One of the server's own, unless it was started with --dashboard-bench-anywhere.",
    string,
  ),
  connections: optional(wholeNumber({ least: 1, most: 1_000 })),
  sizeBytes: optional(wholeNumber({ least: 1, most: 1024 * 1024 })),
  ratePerSecond: about(
    'Open loop; without it a closed loop.',
    optional(number({ above: 0, most: 1_000_000 })),
  ),
  durationMs: optional(number({ above: 0, most: 300_000 })),
})

export const place = object(
  'Place',
  {
    place: about(
      '1: it is served next; null if that is not known, as if several threads accept.',
      orNull(wholeNumber({ least: 1 })),
    ),
    of: about('How many wait; null where that is not known.', orNull(wholeNumber())),
  },
  'The place of a client in the queue of a listener that is at its limit.',
)

export const benchRun = object('BenchRun', {
  id: string,
  address: string,
  startedAt: instant,
  state: oneOf(['running', 'finished', 'failed']),
  error: about('Why it failed.', orNull(string)),
  achievedPerSecond: about(
    'In the last second; for a bench that has ended, in the window.',
    number(),
  ),
  waiting: about('Where its first connection waits to be served.', orNull(place)),
  p50Us: orNull(number()),
  p99Us: orNull(number()),
  received: wholeNumber(),
  verdict: about('At the end.', orNull(oneOf(['pass', 'fail']))),
  valid: orNull(boolean),
  options: benchWanted,
})

export const consoleReply = object(
  'ConsoleReply',
  {
    text: about('The message that came back; wrong bytes are shown as such.', string),
    roundTripUs: number(),
    peer: about('Its connection, as the listener names it; null: not known.', orNull(string)),
    wrong: about('It differs from what was sent.', boolean),
    error: about('What went wrong; then text and time mean nothing.', orNull(string)),
  },
  'What came back for a message.',
)

export const consoleWaiting = object(
  'ConsoleWaiting',
  { waiting: place },
  "Comes once a second while the console's connection waits to be served.",
)

/** Server-sent events, and their data; docs/control.md says how lanes and activity are joined. */
export const events = {
  second,
  lanes: array(lane),
  activity: array(activity),
  faults: array(listenerFaults),
  server: serverInfo,
  bench: benchRun,
}

/** All schemas of the API that have a name. */
export const schemas: readonly ObjectShape[] = [
  apiError,
  serverInfo,
  listenerInfo,
  faultKindInfo,
  figures,
  second,
  lane,
  connectionRow,
  connectionPage,
  killed,
  listenerFaults,
  faultsWanted,
  benchWanted,
  benchRun,
  place,
  consoleReply,
  consoleWaiting,
  ...accountSchemas,
]
