/** Sizes: do large messages come back as small ones do? If not, where do large packets vanish? */
import { formatDuration, formatSize } from '../vocabulary/units.ts'
import { isDatagrams, transportNames, transports } from '../vocabulary/transport.ts'
import type { PathInfo } from '../engines/os/path-info.ts'
import { alikeAtOnce, alikeCost, alikeMs, askAlike } from './alike.ts'
import { askDatagramSizes } from './datagram-sizes.ts'
import { askEarly, earlyCost } from './early-answer.ts'
import type { ProbeConnection } from './probe.ts'
import { witnessed } from './attribution.ts'
import { infoOf } from './kernel-view.ts'
import { question, type Found } from './question.ts'
import { message, type Scene } from './scene.ts'
import { sizeFindings, type SizeFinding } from './sizes-findings.ts'
import { ofProgram, type Failed } from './sizes-program.ts'

/**
 * The sizes to try: first those around the usual sizes of packets, then each twice the one before.
 */
const ladder = [
  1, 100, 500, 1_000, 1_200, 1_280, 1_360, 1_400, 1_448, 1_460, 1_500, 2_000, 4_000, 9_000, 16_000,
  32_000, 65_536, 131_072, 262_144,
]
/**
 * The last step over HTTP: more than the kernels on both sides of a proxy hold for a connection, so
 * that a proxy that stops sending is certainly noticed; and less than 1 MiB, the default limit of
 * nginx.
 */
const httpMaxBytes = 750_000
const refinements = 6
/** More than one packet. */
const largeBytes = 4_000
const alikeMaxBytes = 16_000
/** The MTU of nearly all links. */
const packetBytes = 1_500
/** No link carries larger packets, except the loopback. */
const packetMaxBytes = 9_216
/**
 * Headers of TCP over IPv4 with timestamps, and 20 B more for IPv6. The MTU includes them, the MSS
 * does not.
 */
const headerBytes = 52 + 20

export const sizes = question<SizeFinding>({
  asks: 'whether large messages come back as small ones do, and whether large packets vanish',
  transports: transportNames,
  figures: { size: 'size', mss: 'size' },
  findings: sizeFindings,
  traced: 'all',
  needsMs: 9_000,
  cost: ({ rowMs, silenceMs }) => ({
    atOnce: alikeAtOnce,
    connections: 4 + refinements + alikeCost(0).connections + earlyCost.connections,
    bytes:
      ladder.reduce((sum, size) => sum + size) +
      3 * httpMaxBytes +
      refinements * ladder.at(-1)! +
      alikeCost(alikeMaxBytes).bytes,
    ms: 10 * silenceMs + rowMs,
  }),
  async ask(scene) {
    if (isDatagrams(scene.address)) return askDatagramSizes(scene)
    const found: Found<SizeFinding>[] = []
    const probe = await scene.open()
    const atFirst = infoOf(probe)
    let passed = 0
    let inAllBytes = 0
    let failed: Failed | undefined
    const steps = stepsOf(scene)
    let lastMs = 0
    for (const size of steps) {
      // A larger body takes longer in proportion. If the server awaits the whole body, all of that
      // time is silent.
      const needsMs = size === httpMaxBytes ? 2 * (size / passed) * lastMs : 0
      if (needsMs && scene.leftMs < scene.silenceMs + needsMs) break
      const sentAt = performance.now()
      // The question may end early, but not before packets of the largest usual size were tried.
      if (passed > packetBytes && scene.leftMs < scene.silenceMs + 8 * scene.known.rttMs) break
      failed = await fails(scene, probe, size, scene.silenceMs + needsMs)
      if (failed) break
      passed = size
      inAllBytes += size
      lastMs = performance.now() - sentAt
      scene.passed = `messages up to ${formatSize(passed)} came back whole`
    }
    const last = infoOf(probe) ?? atFirst
    const seen = failed && (await scene.witness(probe))
    await probe.close()
    const bad = failed
      ? witnessed(await describeFailed(scene, passed, failed, inAllBytes), seen)
      : scene.leftMs > alikeMs(scene)
        ? await askAlike(scene, Math.min(passed, largeBytes), true)
        : undefined
    if (bad) found.push(bad)
    const mss = describeMss(atFirst, last, scene.known.pathMtuBytes)
    if (mss) found.push(mss)
    return {
      said: bad
        ? bad.said
        : `messages up to ${formatSize(passed)} came back whole` +
          (passed < steps.at(-1)! ? ', and then the time was over' : '') +
          (last ? `; segments of up to ${last.sendMssBytes} B` : ''),
      found,
      figures: { size: passed, mss: last?.sendMssBytes ?? null },
    }
  },
})

/** Over HTTP a message is a body. */
const isHttp = ({ address }: Scene) => transports[address.transport].protocol === 'http'

const stepsOf = (scene: Scene) => (isHttp(scene) ? [...ladder, httpMaxBytes] : ladder)

async function fails(
  scene: Scene,
  probe: ProbeConnection,
  size: number,
  silenceMs = scene.silenceMs,
): Promise<Failed | undefined> {
  probe.discard()
  await probe.push(message(scene.known, size), silenceMs)
  const waited = await probe.bytes(size, silenceMs)
  if (waited === 'done') return undefined
  const { receivedBytes: cameBytes, ending, story } = probe
  return { size, cameBytes, ending, story, info: infoOf(probe) }
}

/**
 * Finds out why a message did not come back: because of its own size, or because of all bytes that
 * the connection had carried before it.
 */
async function describeFailed(
  scene: Scene,
  passed: number,
  failed: Failed,
  beforeBytes: number,
): Promise<Found<SizeFinding>> {
  // One packet passed, and several do not: perhaps that is so on some connections only.
  const alike = failed.size <= alikeMaxBytes && (await askAlike(scene, failed.size))
  if (alike) return alike
  // What to report if there is no time to find out why.
  scene.note(unexplained(passed, failed))
  const early = await isEarly(scene, passed, failed)
  if (early) return early
  const again = await scene.open()
  const also = await fails(scene, again, failed.size)
  await again.close()
  const after = ofProgram(passed, failed, also, beforeBytes + failed.cameBytes)
  if (after) return after
  const bounds = await refine(scene, passed, failed)
  return describe(bounds.passed, bounds.failed)
}

async function isEarly(scene: Scene, passed: number, { size, ending, story }: Failed) {
  if (ending !== undefined || !isHttp(scene)) return undefined
  const seen = [`${passed} B came back whole; of ${size} B sent in one body not all came`, story]
  return askEarly(scene, message(scene.known, size), seen)
}

const unexplained = (passed: number, { size, cameBytes, story }: Failed): Found<SizeFinding> => ({
  name: 'stuck',
  said: `messages of ${formatSize(size)} and more are stuck`,
  evidence: [`${passed} B came back whole; of ${size} B ${cameBytes} B came back`, story],
})

/** Halves the gap between what came and what did not, each time on a fresh connection. */
async function refine(
  scene: Scene,
  passed: number,
  failed: Failed,
): Promise<{ passed: number; failed: Failed }> {
  const bounds = { passed, failed }
  // Messages below 100 B, messages beyond the ladder, and messages that end the connection do not
  // fail because of packets that are too large.
  if (failed.ending !== undefined || passed < 100 || failed.size === httpMaxBytes) return bounds
  for (let times = 0; times < refinements; times++) {
    const size = Math.floor((bounds.passed + bounds.failed.size) / 2)
    if (bounds.failed.size - bounds.passed < 16) break
    const probe = await scene.open()
    // It is known that large messages fail; the question is from which size on.
    const again = await fails(
      scene,
      probe,
      size,
      scene.limits.silenceMs / 2 + 4 * scene.known.rttMs,
    )
    await probe.close()
    if (again) bounds.failed = again
    else bounds.passed = size
  }
  return bounds
}

function describe(passed: number, failed: Failed): Found<SizeFinding> {
  const { size, cameBytes, ending, info, story } = failed
  const sent = `${size} B were sent in one message, ${cameBytes} B came back`
  const evidence = [`${passed} B came back whole; ${sent}`, story]
  if (ending !== undefined)
    return {
      name: 'limit',
      said: `a message of ${formatSize(size)} ends the connection (${ending})`,
      evidence,
    }
  // If packets are too large for a link, nothing of the message comes back.
  if (!info || passed > packetMaxBytes || (cameBytes > 0 && size < packetBytes))
    return {
      name: 'stuck',
      said: `messages of ${formatSize(size)} and more are stuck`,
      evidence,
    }
  const { unackedSegments, retransmitted, sendMssBytes, pathMtuBytes, retries } = info
  evidence.push(
    `the kernel: ${unackedSegments} segments unacknowledged, ${retransmitted} sent again, ` +
      `segments of up to ${sendMssBytes} B, path MTU ${pathMtuBytes} B`,
  )
  if (unackedSegments > 0 && (retransmitted > 0 || retries > 0))
    return {
      name: 'black-hole',
      said: `packets with more than ${passed} B vanish on the way there`,
      evidence,
      side: 'up',
      where:
        'on the way to the other end: this kernel sends the segment again and again, and it is ' +
        'never acknowledged',
    }
  return {
    name: 'black-hole',
    said: `packets with more than ${passed} B do not come back`,
    evidence,
    side: 'down',
    where:
      'behind the first hop that speaks TCP: all that was sent is acknowledged, and the answer ' +
      'does not come. If no proxy is on the way, large packets vanish on the way back',
  }
}

function describeMss(
  first: PathInfo | undefined,
  last: PathInfo | undefined,
  knownMtuBytes = 0,
): Found<SizeFinding> | undefined {
  if (!first || !last) return undefined
  // An earlier question may have caused the kernel to learn the smaller MTU.
  const before = Math.max(first.pathMtuBytes, knownMtuBytes)
  if (last.pathMtuBytes < before)
    return {
      name: 'smaller-mtu',
      said: `the path takes packets of at most ${last.pathMtuBytes} B, and a router reports that`,
      evidence: [
        `path MTU ${before} B at first, ${last.pathMtuBytes} B after large messages: ` +
          'a router sent "fragmentation needed", and it arrived',
      ],
      side: 'up',
    }
  const own = Math.min(first.pathMtuBytes - headerBytes, first.advertisedMssBytes)
  // On the loopback the MTU is 64 kB, and segments are smaller without anything being wrong.
  if (first.sendMssBytes >= own - 12 || first.sendMssBytes > 9_000) return undefined
  return {
    name: 'small-segments',
    said: `segments have at most ${first.sendMssBytes} B, and this end could take ${own} B`,
    evidence: [
      `MSS ${first.sendMssBytes} B, path MTU ${first.pathMtuBytes} B, ` +
        `this end offered ${first.advertisedMssBytes} B`,
      `round trip by the kernel ${formatDuration(first.rttUs / 1e3)}`,
    ],
  }
}
