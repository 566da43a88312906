/** Steps of 40 ms: Nagle's algorithm meets delayed ACK. */
import { setTimeout as sleep } from 'node:timers/promises'
import { formatDuration } from '../vocabulary/units.ts'
import type { ProbeConnection } from './probe.ts'
import { acknowledge } from './kernel-view.ts'
import type { LatencyFinding } from './latency-findings.ts'
import type { Found } from './question.ts'
import { median } from './quantile.ts'
import { message, type Scene } from './scene.ts'

/** Pairs of small pieces: with Nagle's algorithm and delayed ACK each takes 40 ms. */
const pairs = 7
/** At least this many pairs are sent, and further ones only until this much time is over. */
const [pairsLeast, budgetMs] = [4, 1_500]
const stepMs = 25
const pieceBytes = 8

/**
 * `in a row`: the second piece follows the first at once. `acknowledged`: the same, and the reply
 * is acknowledged at once. `apart`: the second piece follows the reply to the first.
 */
type Way = 'in a row' | 'acknowledged' | 'apart'

/**
 * Two small pieces in a row: the second waits if a sender waits for an acknowledgement. For
 * comparison, the replies to other pairs are acknowledged at once, or the second piece follows the
 * reply. A cause that makes all pairs late is not a step.
 */
export async function askSteps(
  scene: Scene,
  probe: ProbeConnection,
  rtt: number,
): Promise<Found<LatencyFinding> | undefined> {
  if (scene.known.byLine) return undefined
  const times: Record<Way, number[]> = { 'in a row': [], acknowledged: [], apart: [] }
  const { 'in a row': late, acknowledged, apart } = times
  let least = 0
  const startedMs = performance.now()
  for (let pair = 0; pair < pairs; pair++) {
    for (const way of ['in a row', 'acknowledged', 'apart'] as const) {
      const isPossible = way !== 'acknowledged' || acknowledge(probe, true)
      if (!isPossible) continue
      const ms = await pairTime(scene, probe, way)
      if (ms === undefined) return undefined
      times[way].push(ms)
    }
    least = Math.min(...late)
    // One fast pair shows that there are no steps. On a slow path a few pairs are enough.
    if (least < stepMs) return undefined
    if (pair + 1 >= pairsLeast && performance.now() - startedMs > budgetMs) break
  }
  // The fastest of the pairs in a row must be slower than most other pairs: on a busy machine all
  // pairs vary alike.
  const usual = Math.min(median(apart)!, ...acknowledged)
  if (least - usual < stepMs) return undefined
  return {
    name: 'steps',
    said: `Nagle: the second of two small pieces takes ${formatDuration(median(late)!)}`,
    evidence: [
      `${late.length} pairs took ${formatDuration(least)} to ` +
        `${formatDuration(Math.max(...late))}; one piece after the other ` +
        formatDuration(median(apart)!) +
        (acknowledged.length > 0
          ? `, acknowledged at once ${formatDuration(median(acknowledged)!)}`
          : '') +
        `; single messages ${formatDuration(rtt)}`,
    ],
  }
}

async function pairTime(
  scene: Scene,
  probe: ProbeConnection,
  way: Way,
): Promise<number | undefined> {
  probe.discard()
  const startedMs = performance.now()
  await probe.write(message(scene.known, pieceBytes))
  // A short pause, so that the two pieces are neither one segment nor one read of a proxy.
  await sleep(1)
  if (way === 'apart' && (await probe.bytes(pieceBytes, scene.silenceMs)) !== 'done')
    return undefined
  await probe.write(message(scene.known, pieceBytes))
  // Sending resets this setting of the kernel, so it is set after each write.
  acknowledge(probe, way === 'acknowledged')
  if ((await probe.bytes(2 * pieceBytes, scene.silenceMs)) !== 'done') return undefined
  return probe.lastMs - startedMs
}
