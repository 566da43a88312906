/** What /metrics says; docs/metrics.md explains it. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { version } from '../vocabulary/machine.ts'
import { lifetimeBounds } from '../metrics/ledger.ts'
import { counters, metricFamilies, servedCounters, type Counter } from '../metrics/counters.ts'
import type { Observer } from './observer.ts'
import { MetricsText, type Labels, type Sample } from './prometheus.ts'

/** The interval of the timer; the monitor records the whole interval, so it is subtracted. */
const resolutionMs = 20

/** The delay of this thread; the serving threads report their own. */
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
    for (const counter of servedCounters) {
      const { help, metric }: Counter = counters[counter]
      if (typeof metric === 'string')
        text.add(
          'counter',
          metric,
          help,
          each(index => counts[index]![counter]),
        )
    }
    for (const [family, { label, help }] of Object.entries(metricFamilies)) {
      const members = servedCounters.flatMap(counter => {
        const { metric }: Counter = counters[counter]
        return typeof metric === 'object' && metric.family === family
          ? [{ counter, value: metric.value }]
          : []
      })
      text.add(
        'counter',
        family,
        help,
        counts.flatMap((own, index) =>
          members.map(({ counter, value }): Sample => [
            { ...labels[index]!, [label]: value },
            own[counter],
          ]),
        ),
      )
    }
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
      'Connections that are served, but for which the list has no room.',
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
