/**
 * Everything that is counted: whose it is, what it counts, and as which metric it is shown. To add
 * a counter, write its row here; then count it.
 */

export interface Counter {
  /** Who counts it. */
  readonly of: 'server' | 'load' | 'both'
  /** One sentence, for people and for Prometheus. */
  readonly help: string
  /**
   * How /metrics shows that of a server: by a name of its own, or as one value of a label of a
   * family; without it not at all, or as a gauge.
   */
  readonly metric?: string | { readonly family: Family; readonly value: string }
}

/** Metrics of several counters, told apart by a label. */
export const families = {
  yodel_connection_errors_total: {
    label: 'class',
    help: 'Connections that failed, by class.',
  },
  yodel_accept_pauses_total: {
    label: 'limit',
    help: 'How often accepting was paused, by the limit that was reached.',
  },
  yodel_datagrams_refused_total: {
    label: 'reason',
    help: 'Datagrams that were not answered, by the reason.',
  },
} as const
export type Family = keyof typeof families

const server = (help: string, metric?: Counter['metric']) => ({
  of: 'server' as const,
  help,
  ...(metric !== undefined && { metric }),
})
const load = (help: string) => ({ of: 'load' as const, help })
const both = (help: string, metric: string) => ({ of: 'both' as const, help, metric })
const failure = (value: string, help: string) => ({
  of: 'both' as const,
  help,
  metric: { family: 'yodel_connection_errors_total' as const, value },
})
const paused = (value: string) =>
  server(`Accepting was paused: the limit of ${value} was reached.`, {
    family: 'yodel_accept_pauses_total',
    value,
  })
const refused = (value: string, help: string) =>
  server(help, { family: 'yodel_datagrams_refused_total', value })

/** Why a connection failed. The names are part of the reports. */
export const failures = {
  refused: failure('refused', 'The system or the peer refused the connection.'),
  reset: failure('reset', 'The peer reset the connection.'),
  timedOut: failure('timedOut', 'There was no answer in time.'),
  closedEarly: failure('closedEarly', 'The connection ended where there should have been more.'),
  wrongBytes: failure('wrongBytes', 'Other bytes came back.'),
  nameNotFound: failure('nameNotFound', 'The name has no address.'),
  noDescriptors: failure('noDescriptors', 'This process or machine had no descriptors left.'),
  protocol: failure(
    'protocol',
    'What came is not what its transport demands: TLS, PROXY header, WebSocket, HTTP.',
  ),
  status: failure('status', 'An HTTP server answered with a status of failure.'),
  other: failure('other', 'Anything else.'),
  unanswered: load('It still owed an answer when the run ended.'),
} as const satisfies Record<string, Counter>

/** In the order of their place in memory. Counters only grow. */
export const counters = {
  opened: both('Connections that began to be served, or were opened.', 'yodel_connections_total'),
  closed: both(
    'Connections that ended, however they ended; opened - closed are open.',
    'yodel_connections_closed_total',
  ),
  // Clients held because accepting cannot be paused here; queued - dequeued are a gauge.
  queued: server('Clients that are held back because the limit is reached.'),
  dequeued: server('Of those, clients that were served at last, or went.'),
  chunks: both('Pieces in which the system delivered the stream.', 'yodel_echoes_total'),
  bytesIn: both('Bytes received.', 'yodel_received_bytes_total'),
  bytesOut: both('Bytes that the system has taken to be sent.', 'yodel_sent_bytes_total'),
  bytesDiscarded: server(
    'Bytes that came after a draining server had sent FIN.',
    'yodel_discarded_bytes_total',
  ),
  // Messages without the warm-up. In a closed loop one is due when it is to be sent.
  messagesPlanned: load('Messages that were due by the plan.'),
  messagesSent: load('Messages that the system has taken.'),
  messagesReceived: load('Messages that came back whole and right.'),
  messagesUnfinished: load('Messages under way when the drain was over, before their timeout.'),
  messagesDeferred: load('Messages due while their connection had all in flight that it may have.'),
  warmupSent: load('Messages of the warm-up that the system has taken.'),
  warmupReceived: load('Messages of the warm-up that came back.'),
  warmupBytesOut: load('Their bytes that were sent.'),
  warmupBytesIn: load('Their bytes that came back.'),
  reconnects: load('How often a server that had hung up between messages was connected to again.'),
  sentAgain: load('Messages that it had left unanswered and that were sent again.'),
  cyclesPlanned: load('Short connections (churn) that were due.'),
  cyclesCompleted: load('Short connections that went through, from connect to close.'),
  idleClosed: server(
    'Connections closed because nothing had moved for the idle timeout.',
    'yodel_idle_closed_total',
  ),
  pausedForConcurrency: paused('concurrency'),
  pausedForDescriptors: paused('descriptors'),
  turnedAway: server(
    'Clients closed unserved, because nothing can stop the system from accepting them.',
    'yodel_turned_away_total',
  ),
  handshakesFailed: server(
    'Clients that did not get through PROXY header, TLS and the like.',
    'yodel_handshakes_failed_total',
  ),
  upgradesRefused: server(
    'HTTP requests that got an answer, but no WebSocket.',
    'yodel_upgrades_refused_total',
  ),
  messagesTooLong: server(
    'WebSocket clients closed for a message beyond the limit.',
    'yodel_messages_too_long_total',
  ),
  datagramsAnswered: server('Datagrams that were answered.', 'yodel_datagrams_answered_total'),
  datagramsWithoutSource: refused('withoutSource', 'No port or address could be answered.'),
  datagramsFromLowPort: refused('fromLowPort', 'They came from a port below 1024.'),
  datagramsFromOwnPort: refused('fromOwnPort', 'They came from a port that is served here.'),
  datagramsFromBroadcast: refused('fromBroadcast', 'They came from a broadcast address.'),
  datagramsFromMulticast: refused('fromMulticast', 'They came from a multicast address.'),
  datagramsInLoop: refused('inLoop', 'They came again and again from a port no client is given.'),
  datagramsOverRate: refused('overRate', 'Their source had more than its rate.'),
  datagramsDropped: server(
    'Answers that the system would not take, or for which too many waited.',
    'yodel_datagrams_dropped_total',
  ),
  datagramsUnread: server(
    'Datagrams that the system discarded before they were read.',
    'yodel_datagrams_unread_total',
  ),
  // Datagrams of a load, without its warm-up.
  datagramsLate: load('Datagrams that came after their timeout.'),
  datagramsDuplicated: load('Datagrams that came once more.'),
  datagramsReordered: load('Datagrams that came behind one that was sent later.'),
  datagramsCorrupted: load('Datagrams that came with other bytes, but were known all the same.'),
  faultsInjected: server(
    'What faults did: chunks held or cut, bits flipped, connections ended or hung.',
    'yodel_faults_injected_total',
  ),
  // Where they are counted and do not end the connection.
  corruptedBytes: load('Bytes that were wrong in place.'),
  flippedBits: load('Bits that were flipped in them.'),
  ...failures,
} as const satisfies Record<string, Counter>

export type FailureName = keyof typeof failures
export type CounterName = keyof typeof counters
export const failureNames = Object.keys(failures) as FailureName[]
export const counterNames = Object.keys(counters) as CounterName[]

/** Of those that a server counts. */
export const servedCounters = counterNames.filter(name => counters[name].of !== 'load')
