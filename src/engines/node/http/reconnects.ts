/** What a load makes of a server that hangs up between messages, as it may (see caller.ts). */
import type { Duplex } from 'node:stream'
import { nowNs, type Traffic } from '../../../load/traffic.ts'
import { counter } from '../../../metrics/meter.ts'

/** Who hangs up sooner on somebody who has said nothing serves nobody. */
const shortMs = 1_000

/** Counts them, and what they cost; other transports have none. */
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

/** A connection that is only to be there is there again. */
export function keepOpen(stream: Duplex, onRefused: () => void): void {
  stream.on('left', (afterMs: number) => {
    if (afterMs < shortMs) onRefused()
    else if ('reopen' in stream) (stream.reopen as () => void)()
  })
}
