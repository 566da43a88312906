/** What /metrics says; docs/metrics.md explains it. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { version } from '../machine.ts'
import { lifetimeBounds } from '../metrics/ledger.ts'
import { failureNames, type CounterName, type FailureName } from '../metrics/meter.ts'
import type { Observer } from './observer.ts'
import { MetricsText, type Labels, type Sample } from './prometheus.ts'

/** Counters of those who send, and those that have a metric of their own below or make a gauge. */
type Elsewhere =
  | FailureName
  | `messages${'Planned' | 'Sent' | 'Received' | 'Unfinished' | 'Deferred'}`
  | `warmup${'Sent' | 'Received' | 'BytesOut' | 'BytesIn'}`
  | `cycles${'Planned' | 'Completed'}`
  | 'reconnects'
  | 'sentAgain'
  | `datagrams${'Late' | 'Duplicated' | 'Reordered' | 'Corrupted'}`
  | 'corruptedBytes'
  | 'flippedBits'
  | 'queued'
  | 'dequeued'
  | (typeof pauses)[number]
  | (typeof refusals)[number]

type Plain = readonly [name: string, help: string]

/** Counters that are shown as they are. A new one has its line here, or does not compile. */
export const plain: { readonly [Counter in Exclude<CounterName, Elsewhere>]: Plain } = {
  opened: ['yodel_connections_total', 'Connections that began to be served.'],
  closed: ['yodel_connections_closed_total', 'Connections that ended.'],
  chunks: ['yodel_echoes_total', 'Chunks that were echoed, as the system delivered them.'],
  bytesIn: ['yodel_received_bytes_total', 'Bytes received from clients.'],
  bytesOut: ['yodel_sent_bytes_total', 'Bytes sent to clients.'],
  bytesDiscarded: ['yodel_discarded_bytes_total', 'Bytes that came after goodbye was said.'],
  idleClosed: ['yodel_idle_closed_total', 'Connections closed because nothing had moved.'],
  turnedAway: ['yodel_turned_away_total', 'Clients closed unserved, for want of descriptors.'],
  handshakesFailed: [
    'yodel_handshakes_failed_total',
    'Clients stopped by PROXY header, TLS and the like.',
  ],
  upgradesRefused: ['yodel_upgrades_refused_total', 'HTTP requests that got no WebSocket.'],
  messagesTooLong: ['yodel_messages_too_long_total', 'Clients closed for too long a message.'],
  datagramsAnswered: ['yodel_datagrams_answered_total', 'Datagrams that were answered.'],
  datagramsDropped: ['yodel_datagrams_dropped_total', 'Answers there was no room for.'],
  datagramsUnread: ['yodel_datagrams_unread_total', 'Datagrams the system discarded unread.'],
  faultsInjected: ['yodel_faults_injected_total', 'What faults have done to clients.'],
}

const pauses = ['pausedForConcurrency', 'pausedForDescriptors'] as const satisfies CounterName[]
const refusals = [
  'datagramsWithoutSource',
  'datagramsFromLowPort',
  'datagramsFromOwnPort',
  'datagramsFromBroadcast',
  'datagramsFromMulticast',
  'datagramsInLoop',
  'datagramsOverRate',
] as const satisfies CounterName[]

/** Of those who serve. */
const served = failureNames.filter(name => name !== 'unanswered')

const lower = (letter: string): string => letter.toLowerCase()

/** Of a timer, whose whole interval is what is recorded. */
const resolutionMs = 20

/** In this process; the threads that serve have delays of their own. */
export class MetricsPage {
  readonly #observer: Observer
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs })

  constructor(observer: Observer) {
    this.#observer = observer
    this.#delay.enable()
  }

  text(watchers: number): string {
    const text = new MetricsText()
    const { listeners } = this.#observer
    const counts = listeners.map(({ server }) => server.counts())
    const labels = listeners.map(({ server }): Labels => ({
      listener: server.url,
      engine: server.engine,
    }))
    const each = (value: (index: number) => number | undefined): Sample[] =>
      labels.map((own, index) => [own, value(index)])
    const node = process.versions.node
    text.add('gauge', 'yodel_build_info', 'Versions; always 1.', [[{ version, node }, 1]])
    text.add(
      'gauge',
      'yodel_connections_open',
      'Connections that are served now.',
      each(index => counts[index]!.open),
    )
    text.add(
      'gauge',
      'yodel_connections_waiting',
      'Clients that wait to be served; absent where that is not known.',
      each(index => this.#observer.waitingFor(index) ?? undefined),
    )
    for (const [counter, [name, help]] of Object.entries(plain) as [keyof typeof plain, Plain][])
      text.add(
        'counter',
        name,
        help,
        each(index => counts[index]![counter]),
      )
    const byName = (names: readonly CounterName[], label: string, nameOf: (n: string) => string) =>
      counts.flatMap((own, index) =>
        names.map((name): Sample => [{ ...labels[index]!, [label]: nameOf(name) }, own[name]]),
      )
    text.add(
      'counter',
      'yodel_connection_errors_total',
      'Connections that failed, by class.',
      byName(served, 'class', name => name),
    )
    text.add(
      'counter',
      'yodel_accept_pauses_total',
      'How often accepting was paused, by the limit that was reached.',
      byName(pauses, 'limit', name => name.slice('pausedFor'.length).toLowerCase()),
    )
    text.add(
      'counter',
      'yodel_datagrams_refused_total',
      'Datagrams that were not answered, by the reason.',
      byName(refusals, 'reason', name => name.replace('datagrams', '').replace(/^./, lower)),
    )
    this.#addLedgers(text, labels)
    this.#addProcess(text, watchers)
    return text.toString()
  }

  #addLedgers(text: MetricsText, labels: Labels[]) {
    const threads = this.#observer.listeners.flatMap(({ server }, index) =>
      server.ledgers.map((ledger, thread) => ({
        ledger,
        labels: { ...labels[index]!, thread: `${thread}` },
      })),
    )
    text.addHistogram(
      'yodel_connection_duration_seconds',
      'How long connections that have ended were served.',
      lifetimeBounds,
      threads.map(({ ledger: { lifetime }, labels }) => ({
        labels,
        counts: lifetime.counts,
        sum: lifetime.sumSeconds,
      })),
    )
    text.add(
      'counter',
      'yodel_connections_unlisted_total',
      'Connections served that found no place in the list.',
      threads.map(({ ledger, labels }) => [labels, ledger.unlisted]),
    )
    const delays = threads.flatMap(({ ledger: { loopDelay }, labels }) =>
      (['p50', 'p99', 'max'] as const).map((stat): Sample => {
        const ms = loopDelay[stat]
        return [{ ...labels, stat }, Number.isNaN(ms) ? undefined : ms / 1e3]
      }),
    )
    text.add(
      'gauge',
      'yodel_serving_loop_delay_seconds',
      'How late timers of a serving thread were in the last second; node engine only.',
      delays,
    )
  }

  #addProcess(text: MetricsText, watchers: number) {
    const delay = this.#delay
    const stats = { p50: delay.percentile(50), p99: delay.percentile(99), max: delay.max }
    text.add(
      'gauge',
      'yodel_event_loop_delay_seconds',
      'How late timers of the main thread were since the last scrape; it does not serve.',
      Object.entries(stats).map(([stat, ns]) => [
        { stat },
        Math.max(0, ns / 1e9 - resolutionMs / 1e3),
      ]),
    )
    delay.reset()
    text.add('gauge', 'yodel_dashboard_watchers', 'Pages that watch.', [[{}, watchers]])
    const { user, system } = process.cpuUsage()
    text.add('counter', 'process_cpu_seconds_total', 'Processor time of the process.', [
      [{}, (user + system) / 1e6],
    ])
    text.add('gauge', 'process_resident_memory_bytes', 'Memory in use.', [
      [{}, process.memoryUsage.rss()],
    ])
    text.add('gauge', 'process_start_time_seconds', 'When the process began, since 1970.', [
      [{}, Math.round(performance.timeOrigin) / 1e3],
    ])
  }

  close(): void {
    this.#delay.disable()
  }
}
