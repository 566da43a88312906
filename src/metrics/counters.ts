/**
 * Everything that is counted or timed: whose it is, what it is, and where it is shown. To add a
 * counter or a distribution, write its row here; then count or record it.
 */

export interface Counter {
  /** The side that counts it. */
  readonly of: 'server' | 'load' | 'both'
  /** One sentence, for people and for Prometheus. */
  readonly help: string
  /**
   * How /metrics shows the counter of a server: by a name of its own, or as one value of a label of
   * a family. Undefined: not at all, or as a gauge.
   */
  readonly metric?: string | { readonly family: Family; readonly value: string }
  /** How the counter of a server is shown to people, if it is not 0. */
  readonly said?: CounterWords
}

interface CounterWords {
  /** In the last line: `3 clients turned away`. */
  readonly last?: readonly [noun: string, what: string]
  /** For refused datagrams: the reason, which the last line names. */
  readonly refusedBecause?: string
  /** In the log, for each second in which it grew; the key has by how much. */
  readonly log?: readonly [level: 'info' | 'warn', event: string, key: string]
}

/** Metrics that consist of several counters, which differ in a label. */
export const metricFamilies = {
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
export type Family = keyof typeof metricFamilies

const server = (help: string, metric?: Counter['metric'], said?: CounterWords) => ({
  of: 'server' as const,
  help,
  ...(metric !== undefined && { metric }),
  ...(said && { said }),
})
const load = (help: string) => ({ of: 'load' as const, help })
const both = (help: string, metric: string) => ({ of: 'both' as const, help, metric })
const failure = (value: string, help: string) => ({
  of: 'both' as const,
  help,
  metric: { family: 'yodel_connection_errors_total' as const, value },
})
const paused = (value: string, level: 'info' | 'warn', what: string) =>
  server(
    `Accepting was paused: the limit of ${value} was reached.`,
    { family: 'yodel_accept_pauses_total', value },
    { log: [level, `limit of ${what} reached`, 'times'] },
  )
const refused = (value: string, refusedBecause: string, help: string) =>
  server(help, { family: 'yodel_datagrams_refused_total', value }, { refusedBecause })

/** Why a connection failed. The names are part of the reports. */
export const failures = {
  refused: failure('refused', 'The system or the peer refused the connection.'),
  reset: failure('reset', 'The peer reset the connection.'),
  timedOut: failure('timedOut', 'There was no answer in time.'),
  closedEarly: failure('closedEarly', 'The connection ended before everything had come.'),
  wrongBytes: failure('wrongBytes', 'Other bytes came back.'),
  nameNotFound: failure('nameNotFound', 'The name has no address.'),
  noDescriptors: failure('noDescriptors', 'This process or machine had no descriptors left.'),
  protocol: failure('protocol', 'The peer broke the protocol: TLS, PROXY header, WebSocket, HTTP.'),
  status: failure('status', 'An HTTP server answered with an error status.'),
  other: failure('other', 'Any other failure.'),
  unanswered: load('Messages were unanswered when the run ended.'),
} as const satisfies Record<string, Counter>

/** In the order of their place in memory. Counters only grow. */
export const counters = {
  opened: both('Connections that began to be served, or were opened.', 'yodel_connections_total'),
  closed: both(
    'Connections that ended, for any reason. Opened minus ended is how many are open now.',
    'yodel_connections_closed_total',
  ),
  // Clients that wait in the program, because accepting cannot be paused here. Their number is
  // queued - dequeued.
  queued: server('Clients that were accepted beyond the limit, and wait.'),
  dequeued: server('Of those, clients that were served or left.'),
  chunks: both(
    'Chunks that were echoed: pieces of a stream, or whole messages.',
    'yodel_echoes_total',
  ),
  bytesIn: both('Bytes received.', 'yodel_received_bytes_total'),
  bytesOut: both('Bytes that the system has accepted for sending.', 'yodel_sent_bytes_total'),
  bytesDiscarded: server(
    'Bytes that came after a draining server had sent FIN.',
    'yodel_discarded_bytes_total',
  ),
  // Messages without the warm-up. In a closed loop a message is due when it may be sent.
  messagesPlanned: load('Messages that were due by the plan.'),
  messagesSent: load('Messages that the system has accepted, to the last byte.'),
  messagesReceived: load('Messages that came back whole and right.'),
  messagesUnfinished: load('Messages in flight when the drain was over, before their timeout.'),
  messagesDeferred: load('Messages due while --depth messages were in flight on their connection.'),
  warmupSent: load('Messages of the warm-up that the system has accepted.'),
  warmupReceived: load('Messages of the warm-up that came back.'),
  warmupBytesOut: load('Bytes sent of the warm-up.'),
  warmupBytesIn: load('Bytes of the warm-up that came back.'),
  segmentsAgain: load('Segments that the system sent again (tcp, one direction).'),
  // A mean is the difference of two sums, divided by the difference of the two numbers of samples.
  tcpSamples: load('How often a system told of a connection that sends (TCP_INFO).'),
  tcpRttUs: load('The sum of the round trips that it told, in microseconds.'),
  tcpWindowBytes: load('The sum of the congestion windows that it told, in bytes.'),
  bytesConfirmed: load('Bytes sent in one direction that the other end has received.'),
  bytesVerified: load('Bytes of one direction that this end has received, without its heads.'),
  reconnects: load('Reconnects after the server closed between messages.'),
  sentAgain: load('Messages sent again because the server closed before it answered.'),
  // An outage is that of one connection: from its break until it has an echo again.
  outagesBegun: load('Connections that broke and are opened again (reconnect).'),
  outagesEnded: load('Of those, connections that have an echo again.'),
  reopened: load('How often a connection that had broken was open again.'),
  churnPlanned: load('Short connections that were due.'),
  churnCompleted: load('Short connections that were completed, from connect to close.'),
  idleClosed: server(
    'Connections closed because they were idle for the idle timeout.',
    'yodel_idle_closed_total',
    { log: ['info', 'idle connections closed', 'connections'] },
  ),
  pausedForConcurrency: paused('concurrency', 'info', 'clients'),
  pausedForDescriptors: paused('descriptors', 'warn', 'descriptors'),
  turnedAway: server(
    'Clients closed unserved, where accepting cannot be paused.',
    'yodel_turned_away_total',
    { last: ['client', 'turned away'], log: ['warn', 'clients turned away', 'clients'] },
  ),
  handshakesFailed: server(
    'Clients that failed a handshake: PROXY header, TLS, upgrade or first request.',
    'yodel_handshakes_failed_total',
    { last: ['handshake', 'failed'] },
  ),
  sessions: server(
    'Sessions in band that were served: sending in one direction, or a trace.',
    'yodel_sessions_total',
    { last: ['session', 'served'] },
  ),
  upgradesRefused: server(
    'HTTP requests that were answered, but not upgraded to WebSocket.',
    'yodel_upgrades_refused_total',
  ),
  messagesTooLong: server(
    'WebSocket clients closed because a message was too long.',
    'yodel_messages_too_long_total',
    { last: ['message', 'too long'] },
  ),
  datagramsAnswered: server('Datagrams that were answered.', 'yodel_datagrams_answered_total'),
  datagramsFromLowPort: refused(
    'fromLowPort',
    'from a port below 1024',
    'They came from a port below 1024.',
  ),
  datagramsFromOwnPort: refused(
    'fromOwnPort',
    'from a port served here',
    'They came from a port that is served here.',
  ),
  datagramsFromBroadcast: refused(
    'fromBroadcast',
    'from a broadcast address',
    'They came from a broadcast address.',
  ),
  datagramsFromMulticast: refused(
    'fromMulticast',
    'from a multicast address',
    'They came from a multicast address.',
  ),
  datagramsInLoop: refused(
    'inLoop',
    'in a loop',
    'They came repeatedly from a port that systems do not give to clients.',
  ),
  datagramsOverRate: refused(
    'overRate',
    'over the rate to one source',
    'Their source had used up its rate.',
  ),
  datagramsWithoutSource: refused(
    'withoutSource',
    'without a source',
    'They had no address or port to answer to.',
  ),
  datagramsDropped: server(
    'Answers dropped: the system refused them, or too many waited.',
    'yodel_datagrams_dropped_total',
  ),
  datagramsUnread: server(
    'Datagrams that the system discarded before they were read.',
    'yodel_datagrams_unread_total',
  ),
  // Datagrams of a load, without its warm-up.
  datagramsLate: load('Datagrams that came after their timeout.'),
  datagramsDuplicated: load('Duplicate datagrams.'),
  datagramsReordered: load('Datagrams that came after one that was sent later.'),
  datagramsCorrupted: load('Datagrams with wrong bytes whose number could still be read.'),
  faultsInjected: server(
    'Faults injected: chunks delayed or cut, bits flipped, connections ended or hung.',
    'yodel_faults_injected_total',
    { last: ['fault', 'injected'] },
  ),
  // Only with --count-corruption, when wrong bytes do not end the connection.
  corruptedBytes: load('Wrong bytes in a stream that stayed in step.'),
  flippedBits: load('Bits flipped in these bytes.'),
  ...failures,
} as const satisfies Record<string, Counter>

export type FailureName = keyof typeof failures
export type CounterName = keyof typeof counters
export const failureNames = Object.keys(failures) as FailureName[]
export const counterNames = Object.keys(counters) as CounterName[]

/** The names of the counters that a server counts. */
export const servedCounters = counterNames.filter(name => counters[name].of !== 'load')

/** The row of a counter, as the general type. */
export const counterOf = (name: CounterName): Counter => counters[name]

/** A distribution of a load, in nanoseconds. */
interface DistributionRow {
  /** Its help text, which follows its name. */
  readonly help: string
  /**
   * Whether a result contains it under its own name (`responseUs`), with its buckets: `always`;
   * `sometimes`: if there was a sample; `elsewhere`: only as a part of something else.
   */
  readonly inResult: 'always' | 'sometimes' | 'elsewhere'
}

/**
 * In the order of their place in memory. A new distribution is `sometimes`: older results lack it.
 */
export const distributions = {
  response: {
    help: 'from the planned instant of a message until it has come back whole',
    inResult: 'always',
  },
  /** Empty in a closed loop, where service and response time are the same. */
  service: { help: 'the same from the actual send', inResult: 'always' },
  /** How much later than planned the generator began to handle a message. */
  lateness: { help: 'how late the generator itself was', inResult: 'always' },
  connect: {
    help: 'from connect(2), or the planned instant (churn), until the connection is established',
    inResult: 'always',
  },
  reconnect: {
    help: 'the same, after the server closed between messages; part of a response time',
    inResult: 'elsewhere',
  },
  churn: {
    help: 'a short connection, from its planned instant until it is closed',
    inResult: 'sometimes',
  },
  // The same times, but only of messages that the generator may have delayed, with and without the
  // delay. The figures without the hold-up are made of these.
  responseTouched: {
    help: 'response times that a stall of the generator touched',
    inResult: 'elsewhere',
  },
  responseLess: { help: 'the same without the time of the stall', inResult: 'elsewhere' },
  serviceTouched: {
    help: 'service times that a stall of the generator touched',
    inResult: 'elsewhere',
  },
  serviceLess: { help: 'the same without the time of the stall', inResult: 'elsewhere' },
  connectTouched: {
    help: 'connect times of short connections that a stall of the generator touched',
    inResult: 'elsewhere',
  },
  connectLess: { help: 'the same without the time of the stall', inResult: 'elsewhere' },
  churnTouched: {
    help: 'times of short connections that a stall of the generator touched',
    inResult: 'elsewhere',
  },
  churnLess: { help: 'the same without the time of the stall', inResult: 'elsewhere' },
} as const satisfies Record<string, DistributionRow>

export type HistogramName = keyof typeof distributions
export const histogramNames = Object.keys(distributions) as HistogramName[]
/** The names of the histograms that a result has: always, or if there was a sample. */
export const resultHistograms = (when: DistributionRow['inResult']): HistogramName[] =>
  histogramNames.filter(name => distributions[name].inResult === when)
export type AlwaysInResult = {
  [Name in HistogramName]: (typeof distributions)[Name]['inResult'] extends 'always' ? Name : never
}[HistogramName]
