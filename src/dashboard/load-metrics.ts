/** What a running load reports to Prometheus: counts and distributions that only grow. */
import type { HostAddress } from '../vocabulary/address.ts'
import { version } from '../vocabulary/machine.ts'
import { counterNames, counters, distributions, failureNames } from '../metrics/counters.ts'
import { bucketMiddleNs, type Histogram } from '../metrics/histogram.ts'
import type { Snapshot } from '../metrics/snapshot.ts'
import { healthRoutes, type Health } from './health.ts'
import { MetricsText, type Labels } from './prometheus.ts'
import { answerWith, closeServer, listenForWeb, urlOf } from './server.ts'

/** Upper bounds of the buckets, in seconds: three for each power of ten. */
const boundsSeconds = [
  '0.00005 0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05',
  '0.1 0.25 0.5 1 2.5 5 10 60',
].flatMap(bounds => bounds.split(' ').map(Number))

/** The distributions that say something while a load goes on. */
const shown = ['response', 'service', 'lateness', 'connect'] as const

/** `messagesSent` → `yodel_load_messages_sent_total` */
export const metricOf = (counter: string): string =>
  `yodel_load_${counter.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)}_total`

const isFailure = (name: string) => (failureNames as string[]).includes(name)
/** Each counter of a load, failures aside: those are one metric. */
export const loadCounters = counterNames.filter(
  name => counters[name].of !== 'server' && !isFailure(name),
)

export function loadMetricsText(snapshot: Snapshot, target: string): string {
  const labels = { target }
  const text = new MetricsText()
  text.add('gauge', 'yodel_build_info', 'Versions; always 1.', [
    [{ version, node: process.versions.node }, 1],
  ])
  text.add('gauge', 'yodel_load_connections_open', 'Connections that are open now.', [
    [labels, snapshot.open],
  ])
  for (const name of loadCounters)
    text.add('counter', metricOf(name), counters[name].help, [[labels, snapshot[name]]])
  text.add(
    'counter',
    'yodel_load_failures_total',
    'Connections that failed, by class.',
    failureNames.map(name => [{ ...labels, class: name }, snapshot[name]]),
  )
  for (const name of shown)
    text.addHistogram(
      `yodel_load_${name}_seconds`,
      `Time ${distributions[name].help}.`,
      boundsSeconds,
      [bucketsOf(snapshot[name], labels)],
    )
  const { user, system } = process.cpuUsage()
  text.add('counter', 'process_cpu_seconds_total', 'Processor time of the process.', [
    [{}, (user + system) / 1e6],
  ])
  text.add('gauge', 'process_resident_memory_bytes', 'Memory in use.', [
    [{}, process.memoryUsage.rss()],
  ])
  return text.toString()
}

function bucketsOf(histogram: Histogram, labels: Labels) {
  const counts = Array.from({ length: boundsSeconds.length + 1 }, () => 0)
  let at = 0
  // In ascending order.
  histogram.forEach((bucket, count) => {
    while (at < boundsSeconds.length && bucketMiddleNs(bucket) > boundsSeconds[at]! * 1e9) at++
    counts[at]! += count
  })
  return { labels, counts, sum: histogram.sumNs / 1e9 }
}

export interface LoadMetricsOptions {
  address: HostAddress
  /** Why the load does not measure now; undefined if it does. */
  why: () => string | undefined
  text: () => string
  onDefect: (error: unknown) => void
}

/** /metrics, /healthz and /readyz. @throws UserError if it cannot listen at the address */
export async function serveLoadMetrics(options: LoadMetricsOptions): Promise<Health> {
  const { server, address } = await listenForWeb(options, '--metrics')
  const access = { check() {}, isProbe: () => true, linkToken: () => undefined }
  const readiness = {
    get why() {
      return options.why()
    },
  }
  const routes = new Map(healthRoutes(readiness, options.text))
  answerWith(server, { access, routes, onDefect: options.onDefect })
  const end = () => closeServer(server)
  return { address, url: urlOf(address), close: end, [Symbol.asyncDispose]: end }
}
