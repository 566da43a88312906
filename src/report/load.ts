/** What a load did, for people and for machines. */
import { formatAddress, type Address } from '../address.ts'
import type { WrongBytes } from '../load/payload.ts'
import type { Histogram } from '../metrics/histogram.ts'
import { failureNames } from '../metrics/meter.ts'
import type { Snapshot } from '../metrics/snapshot.ts'
import { formatCount, formatDuration, formatSize } from '../units.ts'

export interface LoadReport {
  command: string
  address: Address
  connections: number
  ok: boolean
  measured: Snapshot
  lost: number
  wrong: WrongBytes | undefined
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const failuresOf = (snapshot: Snapshot): [string, number][] =>
  failureNames.map(name => [name, snapshot[name]] as [string, number]).filter(([, n]) => n > 0)

/** A few aligned lines. */
export function loadText({ command, address, connections, ...result }: LoadReport): string {
  const { measured, lost, wrong, ok } = result
  const seconds = measured.atMs / 1e3
  const [p50, p90, p99, p999, max] = measured.latency
    .quantiles([0.5, 0.9, 0.99, 0.999, 1])
    .map(ns => (Number.isNaN(ns) ? 'none' : formatDuration(ns / 1e6)))
  const failures = failuresOf(measured).map(([name, n]) => `${name} ${formatCount(n)}`)
  const rate = formatCount(measured.messagesReceived / seconds)
  const lines = [
    `yodel ${command} ${formatAddress(address)}  ${connections} connection` +
      `${connections === 1 ? '' : 's'}, ${seconds.toFixed(2)} s`,
    `  messages    ${formatCount(measured.messagesSent)} sent, ` +
      `${formatCount(measured.messagesReceived)} verified, ${formatCount(lost)} lost, ${rate}/s`,
    `  bytes       ${formatSize(measured.bytesOut)} out, ${formatSize(measured.bytesIn)} back, ` +
      `${formatSize(measured.bytesIn / seconds)}/s`,
    `  round trip  p50 ${p50}  p90 ${p90}  p99 ${p99}  p99.9 ${p999}  max ${max}`,
    `  failures    ${failures.length === 0 ? 'none' : failures.join(', ')}`,
  ]
  if (wrong) {
    lines.push(
      `  wrong       connection ${wrong.connection}, offset ${formatCount(wrong.offset)}`,
      `              expected ${hex(wrong.expected)}`,
      `              received ${hex(wrong.received)}`,
    )
  }
  lines.push(`  verdict     ${ok ? 'every byte came back' : 'FAILED'}`)
  return `${lines.join('\n')}\n`
}

/** One document; durations in microseconds. */
export function loadJson({ command, address, connections, ...result }: LoadReport): string {
  const { measured, lost, wrong, ok } = result
  return `${JSON.stringify({
    verdict: ok ? 'pass' : 'fail',
    seconds: measured.atMs / 1e3,
    ratePerSecond: measured.messagesReceived / (measured.atMs / 1e3),
    messages: { sent: measured.messagesSent, received: measured.messagesReceived, lost },
    bytes: { sent: measured.bytesOut, received: measured.bytesIn },
    responseUs: distributionUs(measured.latency),
    errors: Object.fromEntries(failuresOf(measured)),
    firstWrong: wrong
      ? { ...wrong, expected: hex(wrong.expected), received: hex(wrong.received) }
      : null,
    run: { command, address: formatAddress(address), connections },
  })}\n`
}

/** `{count, min, mean, p50, p90, p99, p999, p9999, max}`; null where there is no sample. */
function distributionUs(latency: Histogram) {
  const { count } = latency
  const us = (ns: number) => (Number.isNaN(ns) ? null : ns / 1e3)
  const values = latency.quantiles([0, 0.5, 0.9, 0.99, 0.999, 0.9999, 1]).map(us)
  const [min, p50, p90, p99, p999, p9999, max] = values
  const mean = us(latency.sumNs / count)
  return { count, min, mean, p50, p90, p99, p999, p9999, max }
}
