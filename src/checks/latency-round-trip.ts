/** One small message and its reply, on a connection that is open. */
import type { LatencyFinding } from './latency-findings.ts'
import type { ProbeConnection } from './probe.ts'
import type { Found } from './question.ts'
import { isEchoOf, message, type Scene } from './scene.ts'

export const tripBytes = 64

/** How long it took; undefined if the reply is missing. */
export async function roundTrip(
  scene: Scene,
  probe: ProbeConnection,
  told: { gapMs?: number } = {},
): Promise<number | undefined> {
  const sent = message(scene.known, tripBytes)
  probe.discard()
  const startedMs = performance.now()
  await probe.write(sent)
  if ((await probe.bytes(1, scene.silenceMs)) !== 'done') return undefined
  const firstMs = probe.lastMs
  await probe.bytes(sent.length, scene.silenceMs)
  if (!isEchoOf(sent, probe, scene.known)) return undefined
  told.gapMs = probe.lastMs - firstMs
  return probe.lastMs - startedMs
}

/** A reply is missing. */
export function stoppedOn({
  ending,
  story,
  receivedBytes,
}: ProbeConnection): Found<LatencyFinding> {
  const evidence = [story]
  const what = 'an exchange of small messages'
  if (ending !== undefined)
    return { name: 'cut-off', said: `${what} was cut off (${ending})`, evidence }
  if (receivedBytes < tripBytes) return { name: 'stalled', said: `${what} stopped`, evidence }
  return { name: 'stalled', said: 'something else comes back than was sent', evidence }
}
