/** One silence: on a connection, between two requests of HTTP, or of a client of udp. */
import { setTimeout as sleep } from 'node:timers/promises'
import { formatDuration } from '../vocabulary/units.ts'
import type { Attribution } from './attribution.ts'
import type { Account } from './control.ts'
import { shownBytes } from './changes.ts'
import { Datagrams, type SentDatagram } from './datagrams.ts'
import { isOk, openLine, post } from './http-exchange.ts'
import type { ProbeConnection } from './probe.ts'
import { isEchoOf, message, type Scene } from './scene.ts'

const messageBytes = 16
/** More than the head of a request. */
export const requestBytes = 400

export interface Silence {
  seen: Attribution | undefined
  waitMs: number
  fate: 'echoed' | 'closed' | 'reset' | 'forgotten' | 'unreachable' | 'changed'
  /** What came in the silence although nothing was sent; undefined if nothing did. */
  added?: { bytes: Buffer; evidence: string } | undefined
  /** Whether FIN or RST answered the message. */
  ending?: string | undefined
  /** After how much silence the other side ended the connection; undefined if it did not. */
  endedMs?: number
  evidence: string
}

/**
 * Lets a connection be silent for a while, and then sends a message.
 * @param prepare prepares the connection (for example, turns TCP keep-alive or pings on), and
 * returns a function that undoes this after the silence
 */
export async function silent(
  scene: Scene,
  waitMs: number,
  prepare?: (probe: ProbeConnection) => () => void,
): Promise<Silence> {
  const probe = await scene.open()
  const unprepare = prepare?.(probe)
  const sent = message(scene.known, messageBytes)
  await probe.write(sent)
  await probe.bytes(sent.length, scene.silenceMs)
  const quietMs = performance.now()
  await quiet(scene, probe, waitMs)
  unprepare?.()
  const added = addedIn(scene, probe, sent, quietMs)
  if (probe.ending !== undefined) {
    const seen = await scene.witness(probe)
    return { seen, added, ...(await closed(probe, waitMs, quietMs)) }
  }
  probe.discard()
  await probe.write(sent)
  const waited = await probe.bytes(sent.length, scene.silenceMs)
  const isEchoed = isEchoOf(sent, probe, scene.known)
  const missed = waited === 'done' ? 'changed' : waited === 'ended' ? 'reset' : 'forgotten'
  const fate = isEchoed ? 'echoed' : missed
  const came = {
    echoed: 'it came back',
    changed: `other bytes came (${shownBytes(probe.received)})`,
    forgotten: 'no echo came',
    reset: `${probe.ending} came`,
  }
  const evidence =
    `after ${formatDuration(waitMs)} of silence ${messageBytes} B were sent, and ` +
    `${came[fate]} within ${formatDuration(scene.silenceMs)}`
  const seen = fate === 'echoed' && !added ? undefined : await scene.witness(probe)
  await probe.close()
  return { seen, waitMs, fate, added, evidence, ending: probe.ending }
}

/** What came behind the echo; if bytes are changed, only what came so late that it is no echo. */
function addedIn(
  { known, silenceMs }: Scene,
  probe: ProbeConnection,
  sent: Buffer,
  quietMs: number,
): Silence['added'] {
  const { received, lastMs, story } = probe
  const isExact = known.exact && received.subarray(0, sent.length).equals(sent)
  const bytes = received.subarray(sent.length)
  if (bytes.length === 0 || (!isExact && lastMs < quietMs + silenceMs)) return undefined
  const after = formatDuration(Math.max(0, lastMs - quietMs))
  return { bytes, evidence: `${shownBytes(bytes, 60)} came, the last ${after} after it: ${story}` }
}

/** Between two requests on one connection. */
export async function silentRequest(scene: Scene, waitMs: number): Promise<Silence> {
  const line = await openLine(scene)
  const { probe } = line
  await post(scene, line, Buffer.from('before'))
  const quietMs = performance.now()
  const parts: Buffer[] = []
  const feed = probe.sink!
  probe.sink = chunk => void parts.push(chunk)
  await quiet(scene, probe, waitMs)
  probe.sink = feed
  const bytes = Buffer.concat(parts)
  // A server may send 408 when it ends an idle connection (RFC 9110 section 15.5.9): that is not an
  // unexpected message.
  const isTimeout = bytes.toString('latin1', 0, 20).startsWith('HTTP/1.1 408 ')
  const told = `${shownBytes(bytes, 60)} came between two requests: ${probe.story}`
  const added = bytes.length > 0 && !isTimeout ? { bytes, evidence: told } : undefined
  if (probe.ending !== undefined)
    return { seen: undefined, added, ...(await closed(probe, waitMs, quietMs)) }
  const answer = await post(scene, line, Buffer.from('behind'))
  const { ending } = probe
  await probe.close()
  const fate = isOk(answer) ? 'echoed' : ending === undefined ? 'forgotten' : 'reset'
  const came = { echoed: 'an answer', forgotten: 'no answer', reset: `${ending}` }[fate]
  const evidence = `after ${formatDuration(waitMs)} without a request the next one got ${came}`
  return { seen: undefined, waitMs, fate, added, evidence }
}

/**
 * Whether the other end still reaches this client after a silence: a NAT lets answers in as long as
 * it remembers what went out. Undefined where the other end cannot be told to send something.
 */
export async function silentDatagrams(
  scene: Scene,
  waitsMs: readonly number[],
): Promise<(Silence | undefined)[]> {
  const all: Promise<Silence | undefined>[] = []
  // One after the other, so that the other end can tell which is which.
  for (const waitMs of waitsMs) {
    const datagrams = await Datagrams.open(scene)
    const sent = datagrams.send(messageBytes)
    await datagrams.came(sent, scene.silenceMs)
    const account = await scene.accountOf(datagrams)
    const isReached = sent.cameMs !== undefined && account && scene.control
    all.push(isReached ? reached(scene, account, sent, waitMs) : Promise.resolve(undefined))
  }
  return await Promise.all(all)
}

async function reached(
  scene: Scene,
  { peer }: Account,
  sent: SentDatagram,
  waitMs: number,
): Promise<Silence> {
  await sleep(waitMs, undefined, { signal: scene.signal })
  for (let time = 0; time < 2; time++) {
    const before = sent.times
    await scene.control!.again(peer)
    const endMs = performance.now() + scene.silenceMs
    while (sent.times === before && performance.now() < endMs) await sleep(2)
    if (sent.times > before)
      return { seen: undefined, waitMs, fate: 'echoed', evidence: 'what it sent came' }
  }
  const evidence =
    `after ${formatDuration(waitMs)} of silence the server was told to send a datagram to ` +
    `${peer}, where it had seen this client, twice; none came`
  return { seen: undefined, waitMs, fate: 'unreachable', evidence }
}

/** Sends nothing for this long, or until the other side has ended the connection. */
async function quiet({ signal }: Scene, probe: ProbeConnection, waitMs: number): Promise<void> {
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  const ended = () => over.abort()
  if (probe.ending !== undefined) return
  for (const event of ['end', 'close', 'error']) probe.stream.once(event, ended)
  await sleep(waitMs, undefined, { signal: either }).catch(() => signal.throwIfAborted())
  // What has come while this process was held up is looked at first.
  for (let turn = 0; turn < 2; turn++) await new Promise(resolve => setImmediate(resolve))
}

async function closed(probe: ProbeConnection, waitMs: number, quietMs: number) {
  const endedMs = probe.endedMs - quietMs
  const evidence = `${probe.ending} came after ${formatDuration(endedMs)} of silence`
  await probe.close()
  return { waitMs, fate: 'closed' as const, endedMs, evidence }
}
