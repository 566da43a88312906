/** Overload: how many connections are served at once, and what does the next one see? */
import { bareAt } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import { formatDuration, plural } from '../vocabulary/units.ts'
import { connected } from '../options/where.ts'
import { persistent } from './again.ts'
import { alikeCost, askAlike } from './alike.ts'
import { routeOf } from './below.ts'
import { heldUp } from './held-up.ts'
import { infoOf } from './kernel-view.ts'
import { overloadFindings, type OverloadFinding } from './overload-findings.ts'
import type { ProbeConnection } from './probe.ts'
import { question, type Found } from './question.ts'
import { isEchoOf, message, type Scene } from './scene.ts'

/** If connecting takes a second, the first packet was lost: then the system sends it again. */
const slowMs = 900
/** This many plain TCP connections show whether TCP itself is slow. */
const plainCount = 10
const plainMost = 3
const ownEveryMs = 10
const messageBytes = 32
/** How many connections are opened after all others were closed. */
const afterMost = 3
/** A first packet that was lost is sent again after one second, and after three. */
const connectMs = 2_500

type Name = OverloadFinding

export const overload = question<Name>({
  asks: 'how many connections are served at once, and what the next one sees',
  transports: connected,
  figures: { connections: 'count' },
  needsMs: 8_000,
  findings: overloadFindings,
  cost: ({ maxConnections, silenceMs }) => ({
    atOnce: maxConnections,
    connections:
      maxConnections + 1 + afterMost + alikeCost(messageBytes).connections + plainMost * plainCount,
    bytes: maxConnections * messageBytes * 3 + alikeCost(messageBytes).bytes,
    // It takes seconds until a first packet is sent again, and a finding is tested twice.
    ms: 12 * silenceMs,
  }),
  async ask(scene) {
    const { maxConnections } = scene.limits
    const served: ProbeConnection[] = []
    const all: ProbeConnection[] = []
    const found: Found<Name>[] = []
    const slow: Slow[] = []
    let opened = 0
    for (let batch = 1; opened < maxConnections && found.length === 0; batch *= 2) {
      const size = Math.min(batch, maxConnections - opened)
      const tries = await Promise.all(Array.from({ length: size }, () => attempt(scene, slow)))
      opened += size
      all.push(...tries.flatMap(({ probe }) => probe ?? []))
      served.push(...tries.flatMap(({ probe, fate }) => (fate === 'served' ? [probe!] : [])))
      const next = tries.find(({ fate }) => fate !== 'served')
      const fared = next && (await waitedFor(scene, next, slow))
      if (fared?.fate === 'served') served.push(fared.probe!)
      else if (fared) {
        if (fared.refusal && served.length === 0) await throwIfGone(scene, fared.refusal)
        found.push(await describe(scene, fared, served))
      }
      scene.note(...found)
      scene.passed = `${plural(served.length, 'connection')} were served at once`
    }
    scene.known.atOnce = served.length
    const broken = await stillServed(scene, served)
    if (broken) found.push(broken)
    scene.note(broken)
    if (found.some(({ name }) => name !== 'unanswered')) {
      // One connection at a time cannot reach a limit.
      await Promise.all(all.map(probe => probe.close()))
      const alike = await askAlike(scene, messageBytes)
      if (alike) {
        delete scene.known.atOnce
        found.splice(0, found.length, alike)
      }
    }
    const at = found.findIndex(({ name }) => name === 'unanswered')
    if (at >= 0) found[at] = await withOthersClosed(scene, found[at]!, all, served.length)
    const late = slow.length > 0 && (await describeSlow(scene, slow, opened, all))
    if (late) found.push(late)
    return {
      said:
        found.length === 0
          ? `${plural(served.length, 'connection')} at once, all served`
          : found[0]!.name === 'uneven'
            ? found[0]!.said
            : `${plural(served.length, 'connection')} served at once; ${found[0]!.said}`,
      found,
      figures: { connections: served.length },
    }
  },
})

interface Attempt {
  probe?: ProbeConnection
  fate: 'served' | 'refused' | 'unanswered' | 'closed' | 'queued'
  said: string
  refusal?: UserError
}

/** If not even one connection opens, no limit of connections was reached. */
async function throwIfGone(scene: Scene, refusal: UserError): Promise<void> {
  const again = await attempt(scene, [])
  await again.probe?.close()
  if (again.refusal) throw refusal
}

/** A connection that took long to open. */
interface Slow {
  ms: number
  /** Whether the kernel has sent the first packet again. */
  isCertain: boolean
}

async function attempt(scene: Scene, slow: Slow[]): Promise<Attempt> {
  const startedMs = performance.now()
  let probe: ProbeConnection
  try {
    probe = await scene.open(scene.address, scene.calling, connectMs + 4 * scene.known.rttMs)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    // The connection is open, but the server is busy with others and does not begin TLS.
    if (/handshake took too long/.test(error.message))
      return { fate: 'queued', said: error.message }
    const silent = /ETIMEDOUT/.test(error.message)
    if (silent) return { fate: 'unanswered', said: error.message }
    return { fate: 'refused', said: error.message, refusal: error }
  }
  const tookMs = performance.now() - startedMs
  if (isSlow(scene, tookMs))
    slow.push({ ms: tookMs, isCertain: (infoOf(probe)?.retransmitted ?? 0) > 0 })
  const sent = message(scene.known, messageBytes)
  await probe.write(sent)
  const waited = await probe.bytes(sent.length, scene.silenceMs)
  const said = probe.story
  if (isEchoOf(sent, probe, scene.known)) return { probe, fate: 'served', said }
  return { probe, fate: waited === 'ended' ? 'closed' : 'queued', said }
}

/** On a busy machine a connection that waits may only be late, so it gets more time. */
async function waitedFor(scene: Scene, next: Attempt, slow: Slow[]): Promise<Attempt> {
  const { probe, fate } = next
  if (fate !== 'queued') return next
  if (!probe) return await attempt(scene, slow)
  await probe.bytes(messageBytes, scene.silenceMs)
  const isServed = isEchoOf(message(scene.known, messageBytes), probe, scene.known)
  if (isServed) return { probe, fate: 'served', said: probe.story }
  return { ...next, said: probe.story }
}

/** Describes what happened to the first connection that was not served. */
async function describe(
  scene: Scene,
  next: Attempt,
  served: ProbeConnection[],
): Promise<Found<Name>> {
  const { probe, fate } = next
  if (fate === 'unanswered')
    return {
      name: 'unanswered',
      said: 'the next connection gets no answer',
      evidence: [`${next.said} The wait was ${formatDuration(connectMs)}.`],
    }
  if (fate === 'refused')
    return { name: 'refused', said: 'the next connection is refused', evidence: [next.said] }
  if (fate === 'closed') {
    const how = probe!.ending === 'FIN' ? 'closed' : 'reset'
    const said = `the next connection is made, then ${how}`
    return { name: 'closed', said, evidence: [next.said] }
  }
  const name = 'queued' as const
  const said = 'the next connection is made, but gets no echo'
  if (!probe) return { name, said, evidence: [next.said] }
  const leaving = served.pop()
  await leaving?.close()
  const leftMs = performance.now()
  const moved = await probe.bytes(messageBytes, scene.silenceMs)
  const tookMs = performance.now() - leftMs
  if (moved === 'done') served.push(probe)
  else if (leaving) served.push(leaving)
  const then =
    moved === 'done'
      ? `it was served ${formatDuration(tookMs)} after an earlier one had left`
      : `it was not served either within ${formatDuration(tookMs)} after an earlier one had left`
  return { name, said, evidence: [next.said, then] }
}

/**
 * Closes all connections and opens new ones. If something limits how many connections are open, the
 * new ones are served at once. If something limits the rate of new connections, they are not.
 */
async function withOthersClosed(
  scene: Scene,
  found: Found<Name>,
  all: readonly ProbeConnection[],
  count: number,
): Promise<Found<Name>> {
  await Promise.all(all.map(probe => probe.close()))
  const late: Slow[] = []
  let fate: Attempt['fate'] = 'served'
  // A limit on the rate of new connections may let one in, too, but hardly three in a row.
  for (let times = 0; times < afterMost && fate === 'served' && late.length === 0; times++) {
    const again = await attempt(scene, late)
    fate = again.fate
    await again.probe?.close()
  }
  const then =
    fate === 'served' && late.length === 0
      ? `when they are closed, ${afterMost} more are served at once: something limits how many ` +
        'are open'
      : 'when they are closed, further ones get no answer either, or a late one: something ' +
        'limits the rate of new connections'
  const evidence = [...found.evidence, `${plural(count, 'connection')} served at once; ${then}`]
  return { ...found, evidence }
}

/** Whether the connections that were served are served still. */
async function stillServed(
  scene: Scene,
  served: ProbeConnection[],
): Promise<Found<Name> | undefined> {
  const open = served.filter(({ stream }) => !stream.destroyed || stream.errored)
  const sent = message(scene.known, messageBytes)
  const results = await Promise.all(
    open.map(async probe => {
      probe.discard()
      await probe.write(sent)
      // A packet lost several times in a row comes late; over a dead connection no packet comes.
      for (let time = 0; time < 2; time++)
        if ((await probe.bytes(sent.length, scene.silenceMs)) === 'done') break
      if (isEchoOf(sent, probe, scene.known)) return undefined
      return probe
    }),
  )
  const lost = results.filter(probe => probe !== undefined)
  if (lost.length === 0) return undefined
  return {
    name: 'broken',
    said: `of ${plural(open.length, 'connection')} that were served, ${lost.length} are lost`,
    evidence: [lost[0]!.story],
  }
}

const isSlow = ({ known, address }: Scene, ms: number): boolean =>
  address.transport !== 'unix' && ms > slowMs + 4 * known.rttMs

/**
 * Slow connections are a finding only if TCP itself is slow: a busy server may be slow with the
 * handshakes on top of TCP.
 */
async function describeSlow(
  scene: Scene,
  slow: readonly Slow[],
  opened: number,
  all: readonly ProbeConnection[],
): Promise<Found<Name> | undefined> {
  const most = Math.max(...slow.map(({ ms }) => ms))
  const certain = slow.filter(({ isCertain }) => isCertain)
  const evidence = [`the slowest took ${formatDuration(most)} from SYN to connected`]
  if (certain.length > 0) {
    evidence.push('this kernel had to send the first packet of each of them again')
    const said = `${certain.length} of ${plural(opened, 'connection')} took long to open`
    return { name: 'slow-connect', said, evidence }
  }
  await Promise.all(all.map(probe => probe.close()))
  const times = await persistent(
    () => plainTimes(scene),
    ms => ms.some(each => isSlow(scene, each)),
    plainMost,
  )
  const late = times.filter(ms => isSlow(scene, ms))
  if (late.length === 0) return undefined
  const said = `${late.length} of ${plural(times.length, 'connection')} took long to open`
  return {
    name: 'slow-connect',
    said,
    evidence: [`with TCP only, the slowest took ${formatDuration(Math.max(...late))}`],
  }
}

/** How long TCP connections opened at once take, without the time this process was held up. */
async function plainTimes(scene: Scene): Promise<number[]> {
  return await Promise.all(
    Array.from({ length: Math.min(plainCount, scene.limits.maxConnections) }, async () => {
      const startedMs = performance.now()
      const heldUpMs = heldUp(ownEveryMs)
      const timeoutMs = connectMs + 4 * scene.known.rttMs
      const opening = scene.open(bareAt(scene.address), routeOf(scene.calling), timeoutMs)
      const probe = await opening.catch(() => undefined)
      const tookMs = performance.now() - startedMs - heldUpMs()
      const info = probe && infoOf(probe)
      await probe?.close()
      return info?.retransmitted === 0 ? 0 : tookMs
    }),
  )
}
