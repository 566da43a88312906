/** The counts of servers as text: while they serve, and in the last line. */
import { counterOf, servedCounters } from '../metrics/counters.ts'
import { failureNames } from '../metrics/meter.ts'
import type { Counts } from '../metrics/snapshot.ts'
import type { Server } from '../serve.ts'
import { formatCount, formatSize, plural } from '../vocabulary/units.ts'
import { datagramsText, isUdp } from './udp-text.ts'

/** The sum of a counter over all servers. */
export const totalOf = (servers: readonly Server[], name: keyof Counts): number =>
  servers.reduce((sum, server) => sum + server.counts()[name], 0)

/**
 * `protocol 6, reset 1`: all failures by class, handshakes included; nothing if there were none.
 */
function failuresText(servers: readonly Server[]): string[] {
  const counts = failureNames.map(name => [name, totalOf(servers, name)] as const)
  const parts = counts.filter(([, count]) => count > 0)
  if (parts.length === 0) return []
  return [`failures: ${parts.map(([name, count]) => `${name} ${formatCount(count)}`).join(', ')}`]
}

/** `served 3 clients, 12 B echoed, 1 handshake failed; failures: protocol 1` */
export function servedText(servers: readonly Server[]): string {
  const clients = plural(totalOf(servers, 'opened'), 'client')
  const counts = [
    ...(servers.every(isUdp) ? [] : [`served ${clients}`]),
    ...(servers.some(isUdp) ? [datagramsText(servers)] : []),
    `${formatSize(totalOf(servers, 'bytesOut'))} echoed`,
    ...servedCounters.flatMap(name => {
      const last = counterOf(name).said?.last
      const count = totalOf(servers, name)
      return count > 0 && last ? [`${plural(count, last[0])} ${last[1]}`] : []
    }),
  ]
  return [counts.join(', '), ...failuresText(servers)].join('; ')
}

/** Returns a function for the live line: its text says what has happened since the last call. */
export function servingText(servers: readonly Server[]): () => string {
  const look = () => ({
    chunks: totalOf(servers, 'chunks'),
    bytes: totalOf(servers, 'bytesIn'),
    atMs: performance.now(),
  })
  let before = look()
  return () => {
    const now = look()
    const seconds = (now.atMs - before.atMs) / 1e3
    const rates =
      `${plural((now.chunks - before.chunks) / seconds, 'chunk')}/s  ` +
      `${formatSize((now.bytes - before.bytes) / seconds)}/s`
    before = now
    if (servers.every(isUdp)) return rates
    const clients = plural(totalOf(servers, 'open'), 'client')
    return `${clients} now, ${totalOf(servers, 'closed')} before  ${rates}`
  }
}
