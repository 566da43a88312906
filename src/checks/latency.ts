/** Latency: round trips, steps of 40 ms, pieces that come together, and the queue under load. */
import { setTimeout as sleep } from 'node:timers/promises'
import { formatDuration } from '../vocabulary/units.ts'
import { connected } from '../options/where.ts'
import { persistent } from './again.ts'
import { latencyFindings, type LatencyFinding } from './latency-findings.ts'
import { heldUp } from './held-up.ts'
import type { ProbeConnection } from './probe.ts'
import { witnessed } from './attribution.ts'
import { askLoaded } from './latency-loaded.ts'
import { tripBytes, roundTrip, stoppedOn } from './latency-round-trip.ts'
import { askSteps } from './latency-steps.ts'
import { describeLoss, sumOfLosses, withCompany } from './loss.ts'
import { median, quantile } from './quantile.ts'
import { question, type Found } from './question.ts'
import { message, type Scene } from './scene.ts'

const everyMs = 15
/** A sample in which this process was held up so long says nothing about the path. */
const ownMs = 3
/** A reply whose end comes this much later has waited for an acknowledgement. */
const stepMs = 25
/** How many pieces are sent at intervals, and how long the interval is at most. */
const apart = 8
const apartMs = 25
/** How often the path is filled if the first time shows something. */
const loadedMost = 2

type Finding = Found<LatencyFinding>

export const latency = question<LatencyFinding>({
  asks: 'how long round trips take, alone and on a filled path, and whether Nagle delays them',
  transports: connected,
  figures: { rtt: 'duration', jitter: 'duration', loaded: 'duration' },
  findings: latencyFindings,
  traced: 'all',
  needsMs: 4_000,
  cost: ({ thorough, bytes, rowMs, silenceMs }) => ({
    atOnce: 2,
    connections: 1 + 2 * loadedMost,
    bytes: loadedMost * (thorough ? 16 : 1) * bytes + 2 ** 18,
    ms: (thorough ? 120_000 : 1_500) + 6 * silenceMs + loadedMost * rowMs,
  }),
  async ask(scene) {
    const found: Finding[] = []
    const probe = await scene.open()
    const forMs = scene.limits.thorough ? 60_000 : 600
    const samples = await persistent(
      () => roundTrips(scene, probe, forMs),
      each => describeSpread(each) !== undefined,
      2,
    )
    if (samples.ms.length === 0) {
      const stopped = stoppedOn(probe)
      scene.note(stopped)
      found.push(witnessed(stopped, await scene.witness(probe)))
      return { said: found[0]!.said, found, figures: { rtt: null, jitter: null, loaded: null } }
    }
    const rtt = median(samples.ms)!
    const spread = quantile(samples.ms, 0.9)! - rtt
    scene.passed = `a round trip took ${formatDuration(rtt)}`
    const isFound = (found: Finding | undefined) => found !== undefined
    const steps = await persistent(() => askSteps(scene, probe, rtt), isFound)
    const lumps = await persistent(() => askLumps(scene, probe, rtt), isFound)
    // A proxy that collects small pieces may also cut a reply.
    const gaps = lumps ? undefined : describeGaps(samples.gapsMs)
    const last = await persistent(
      () => roundTrip(scene, probe),
      ms => ms === undefined,
      2,
    )
    const stopped =
      last === undefined ? witnessed(stoppedOn(probe), await scene.witness(probe)) : undefined
    const rest = [describeSpread(samples), gaps ?? steps, lumps, stopped]
    scene.note(...rest)
    await probe.close()
    const first = await askLoaded(scene, rtt)
    const isBad = (first.bloat ?? first.stuck ?? describeLoss(first.loss)) !== undefined
    const again = isBad ? await askLoaded(scene, rtt) : first
    const { loadedMs } = again
    // A loss by chance does not happen twice.
    const loss = isBad ? sumOfLosses(first.loss, again.loss) : first.loss
    const isLostAgain = describeLoss(again.loss) !== undefined
    const lossy = isLostAgain ? describeLoss(loss) : undefined
    rest.push(lossy && withCompany(lossy, loss, again, rtt), first.bloat && again.bloat)
    if (!stopped) rest.push(first.stuck && again.stuck)
    found.push(...rest.filter(each => each !== undefined))
    const said =
      `a round trip takes ${formatDuration(rtt)}, 90 % less than ` +
      formatDuration(quantile(samples.ms, 0.9)!) +
      (loadedMs === null ? '' : `; while the path is filled ${formatDuration(loadedMs)}`) +
      (again.unfilled === undefined ? '' : `; ${again.unfilled}`)
    return { said, found, figures: { rtt, jitter: Math.max(0, spread), loaded: loadedMs } }
  },
})

interface Samples {
  ms: number[]
  /** This process was held up so often that it cannot tell the path's delays from its own. */
  isBusy: boolean
  /** Between the beginning of a reply and its end. */
  gapsMs: number[]
}

/** Measures round trips at a low rate, and leaves out those that this process itself delayed. */
async function roundTrips(scene: Scene, probe: ProbeConnection, forMs: number): Promise<Samples> {
  const ms: number[] = []
  let own = 0
  const gapsMs: number[] = []
  const endMs = performance.now() + forMs
  while (performance.now() < endMs) {
    const startedMs = performance.now()
    const heldUpMs = heldUp()
    const told: { gapMs?: number } = {}
    const tookMs = await roundTrip(scene, probe, told)
    const isOwn = heldUpMs() >= ownMs
    if (tookMs === undefined) return { ms: [], gapsMs, isBusy: false }
    if (isOwn) own++
    else {
      ms.push(tookMs)
      gapsMs.push(told.gapMs ?? 0)
    }
    await sleep(Math.max(0, everyMs - (performance.now() - startedMs)))
  }
  // Even a machine that was never free for 3 ms gets a sample.
  if (ms.length === 0) ms.push((await roundTrip(scene, probe)) ?? 0)
  return { ms, gapsMs, isBusy: own > ms.length / 5 }
}

function describeSpread({ ms, isBusy }: Samples): Finding | undefined {
  if (isBusy) return undefined
  const [rtt, late, most] = [median(ms)!, quantile(ms, 0.8)!, Math.max(...ms)]
  // The slowest fifth must be slower by more than a busy machine explains.
  if (late - rtt < Math.max(25, 2 * rtt)) return undefined
  return {
    name: 'jitter',
    said: `a fifth of the round trips take ${formatDuration(late)} and more`,
    evidence: [
      `${ms.length} round trips: median ${formatDuration(rtt)}, ` +
        `80 % ${formatDuration(late)}, longest ${formatDuration(most)}`,
    ],
  }
}

/** A reply whose end waits for the acknowledgement of its beginning. */
function describeGaps(gapsMs: readonly number[]): Finding | undefined {
  if (gapsMs.length === 0 || median(gapsMs)! < stepMs) return undefined
  return {
    name: 'steps',
    said: `Nagle: the end of a reply comes ${formatDuration(median(gapsMs)!)} behind its beginning`,
    evidence: [
      `${gapsMs.length} replies of ${tripBytes} B came in more than one piece: ` +
        `${formatDuration(Math.min(...gapsMs))} to ${formatDuration(Math.max(...gapsMs))} apart`,
    ],
  }
}

/** Sends small pieces at intervals. If something buffers them, several come back at once. */
async function askLumps(
  scene: Scene,
  probe: ProbeConnection,
  rtt: number,
): Promise<Finding | undefined> {
  if (probe.ending !== undefined) return undefined
  probe.discard()
  const arrivals: [ms: number, bytes: number][] = []
  probe.sink = chunk => void arrivals.push([performance.now(), chunk.length])
  const sentMs: number[] = []
  for (let piece = 0; piece < apart; piece++) {
    sentMs.push(performance.now())
    await probe.write(message(scene.known, 16))
    await sleep(apartMs)
  }
  await probe.bytes(apart * 16, scene.silenceMs)
  probe.sink = undefined
  const firstMs = arrivals[0]?.[0]
  if (firstMs === undefined || arrivals.length > apart / 2) return undefined
  const waitedMs = firstMs - sentMs[0]!
  if (waitedMs < 3 * apartMs + rtt) return undefined
  return {
    name: 'lumps',
    said: `small pieces are kept back, and come in lumps`,
    evidence: [
      `${apart} pieces of 16 B were sent ${apartMs} ms apart; they came in ${arrivals.length}, ` +
        `the first ${formatDuration(waitedMs)} after it was sent`,
    ],
  }
}
