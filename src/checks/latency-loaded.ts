/** Round trips while the path is filled by another connection: how long is the queue on the way? */
import { setTimeout as sleep } from 'node:timers/promises'
import { formatDuration, formatSize } from '../vocabulary/units.ts'
import { infoOf } from './kernel-view.ts'
import type { LatencyFinding } from './latency-findings.ts'
import { tripBytes, roundTrip, stoppedOn } from './latency-round-trip.ts'
import { lossOf, nothingLost, type Company, type Loss } from './loss.ts'
import type { ProbeConnection } from './probe.ts'
import { median, quantile } from './quantile.ts'
import type { Found } from './question.ts'
import { message, type Scene } from './scene.ts'

type Finding = Found<LatencyFinding>

/** What was measured while the path was filled. */
export interface Loaded extends Company {
  loss: Loss
  bloat?: Finding
  /** Set if a message that was sent meanwhile did not come back at all. */
  stuck?: Finding | undefined
  /** Why the path was not filled, as the end of a sentence. */
  unfilled?: string
}

const notLoaded: Loaded = { loadedMs: null, loss: nothingLost }
const unfilled = 'a second connection brought nothing back, so the path was not filled'

/**
 * Round trips on one connection while another one fills the path. A busy program makes them long,
 * too: the path is the cause only if the kernel, which acknowledges by itself, measures long round
 * trips, too.
 */
export async function askLoaded(scene: Scene, rtt: number): Promise<Loaded> {
  const { known, address } = scene
  if (address.transport === 'unix') return notLoaded
  if (scene.limits.maxConnections < 2)
    return { ...notLoaded, unfilled: '--max-connections allows one, so it was not filled' }
  if (known.atOnce !== undefined && known.atOnce < 2)
    return { ...notLoaded, unfilled: 'one connection is served at a time, so it was not filled' }
  const [probe, filler] = [await scene.open(), await scene.open()]
  const loaded = await whileFilled(scene, rtt, probe, filler)
  await Promise.all([probe.close(), filler.close()])
  return loaded
}

async function whileFilled(
  scene: Scene,
  rtt: number,
  probe: ProbeConnection,
  filler: ProbeConnection,
): Promise<Loaded> {
  const { limits } = scene
  // Perhaps the connection is not stuck: the server may serve only one of two at a time.
  const isLimitUnknown = scene.known.atOnce === undefined
  if ((await roundTrip(scene, probe)) === undefined)
    return { ...notLoaded, ...(isLimitUnknown ? { unfilled } : { stuck: stoppedOn(probe) }) }
  const filling = new AbortController()
  const startedMs = performance.now()
  const filled = fill(scene, filler, (limits.thorough ? 16 : 1) * limits.bytes).finally(() =>
    filling.abort(),
  )
  const ms: number[] = []
  let kernelMs = 0
  let isMissing = false
  while (!filling.signal.aborted && performance.now() - startedMs < 2 * scene.silenceMs) {
    const tookMs = await roundTrip(scene, probe)
    kernelMs = Math.max(kernelMs, (infoOf(filler)?.rttUs ?? 0) / 1e3)
    isMissing = tookMs === undefined
    if (tookMs === undefined) break
    ms.push(tookMs)
    await sleep(5)
  }
  const how = await filled
  // Behind a long queue a reply may only be late.
  if (isMissing) isMissing = (await probe.bytes(tripBytes, scene.silenceMs)) !== 'done'
  if (filler.receivedBytes === 0 && isLimitUnknown) return { ...notLoaded, unfilled }
  const stuck = isMissing ? stoppedOn(probe) : stoppedFilling(filler, how)
  const loss = lossOf(filler) ?? nothingLost
  const tookMs = performance.now() - startedMs
  const took = formatDuration(tookMs)
  const seen = { bytes: filler.receivedBytes, ms: tookMs }
  if (ms.length === 0) return { loadedMs: null, loss, filled: seen, stuck }
  const loadedMs = median(ms)!
  const least = Math.max(50, 4 * rtt)
  if (kernelMs < least || quantile(ms, 0.9)! < least) return { loadedMs, loss, filled: seen, stuck }
  const bloat: Finding = {
    name: 'bufferbloat',
    said: `while the path is filled, round trips take ${formatDuration(quantile(ms, 0.9)!)}`,
    evidence: [
      `${formatSize(filler.receivedBytes)} came back in ${took} on a second connection; ` +
        `meanwhile ${ms.length} round trips, median ${formatDuration(loadedMs)}, and ` +
        `${formatDuration(kernelMs)} by the kernel; alone it was ${formatDuration(rtt)}`,
    ],
  }
  return { loadedMs, loss, bloat, filled: seen, stuck }
}

type Filled = 'whole' | 'stopped' | 'other'

function stoppedFilling(filler: ProbeConnection, how: Filled): Finding | undefined {
  if (how === 'whole') return undefined
  const stopped = stoppedOn(filler)
  const isSilent = how === 'stopped' && filler.ending === undefined
  return isSilent ? { ...stopped, said: 'a stream of bytes stopped' } : stopped
}

/** Whether a chunk continues the endless repetition of the block, from that byte on. */
function isPartOf(block: Buffer, from: number, chunk: Buffer): boolean {
  for (let at = 0; at < chunk.length;) {
    const part = block.subarray((from + at) % block.length).subarray(0, chunk.length - at)
    if (!part.equals(chunk.subarray(at, at + part.length))) return false
    at += part.length
  }
  return true
}

/**
 * Fills the path. Returns whether all bytes came back, or were still coming when the time was over.
 */
async function fill(scene: Scene, filler: ProbeConnection, total: number): Promise<Filled> {
  const block = message(scene.known, 16_384)
  let [came, isOther] = [0, false]
  filler.sink = chunk => {
    isOther ||= scene.known.exact && !isPartOf(block, came, chunk)
    came += chunk.length
  }
  const endMs = performance.now() + scene.limits.rowMs
  let at = 0
  const isOver = () => performance.now() > endMs
  while (at < total && !isOver()) {
    at += block.length
    if ((await filler.push(block, scene.silenceMs, isOver)) !== 'done') break
  }
  // What is lost several times in a row is sent again after more than a second.
  for (let time = 0; time < 2; time++) {
    const before = filler.receivedBytes
    const isComing = () => filler.receivedBytes > before && isOver()
    const isAll = () => isOther || filler.receivedBytes >= at || isComing()
    if ((await filler.until(isAll, scene.silenceMs)) === 'done') return isOther ? 'other' : 'whole'
  }
  return 'stopped'
}
