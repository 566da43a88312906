/** Dials a connection of a load, and records how long that took. */
import type { Duplex } from 'node:stream'
import { counter, type Meter } from '../../../metrics/meter.ts'
import type { LoadTask } from '../../../task.ts'
import { nowNs } from '../../../vocabulary/clock.ts'
import type { Dial } from '../core/link.ts'

/** How many connections are established at once: fewer than a usual backlog holds. */
export const dialsAtOnce = 256

export async function timedDial(
  task: LoadTask,
  meter: Meter,
  dial: Dial,
  number: number,
  signal?: AbortSignal,
): Promise<Duplex> {
  const startNs = nowNs()
  const { stream } = await dial({ ...task, number }, task.timeoutMs, signal)
  meter.histograms.connect.record(nowNs() - startNs)
  meter.counters[counter.opened]!++
  return stream
}
