/**
 * Counts how often a server closes a connection between messages, which HTTP allows (caller.ts).
 */
import type { Duplex } from 'node:stream'
import { nowNs } from '../../../vocabulary/clock.ts'
import type { Traffic } from '../../../load/traffic.ts'
import { counter } from '../../../metrics/meter.ts'

/** If a server closes an idle connection sooner than that, it counts as refusing the connection. */
const shortMs = 1_000

/** Counts reconnects and their time. Transports other than HTTP have none. */
export function countReconnects(stream: Duplex, traffic: Traffic): void {
  const { counters, histograms } = traffic.meter
  const isMeasured = () => traffic.startedNs > 0 && nowNs() >= traffic.measureFromNs
  stream.on('reconnect', (ms: number) => {
    counters[counter.opened]!++
    counters[counter.closed]!++
    if (!isMeasured()) return
    counters[counter.reconnects]!++
    histograms.reconnect.record(ms * 1e6)
  })
  stream.on('again', () => {
    if (isMeasured()) counters[counter.sentAgain]!++
  })
}

/** Opens an idle connection again after the server has closed it. */
export function keepOpen(stream: Duplex, onRefused: () => void): void {
  stream.on('left', (afterMs: number) => {
    if (afterMs < shortMs) onRefused()
    else if ('reopen' in stream) (stream.reopen as () => void)()
  })
}
