/** One silence: on a connection, between two requests of HTTP, or of a client of udp. */
import { setTimeout as sleep } from 'node:timers/promises'
import { formatDuration } from '../vocabulary/units.ts'
import type { Attribution } from './attribution.ts'
import type { Account } from './control.ts'
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
  fate: 'echoed' | 'closed' | 'reset' | 'forgotten' | 'unreachable'
  /** After how much silence the other side ended the connection; undefined if it did not. */
  endedMs?: number
  evidence: string
}

/** @param prepare returns what ends the preparation */
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
  if (probe.ending !== undefined) {
    const seen = await scene.witness(probe)
    return { seen, ...(await closed(probe, waitMs, quietMs)) }
  }
  probe.discard()
  await probe.write(sent)
  const waited = await probe.bytes(sent.length, scene.silenceMs)
  const isEchoed = isEchoOf(sent, probe, scene.known)
  const fate = isEchoed ? 'echoed' : waited === 'ended' ? 'reset' : 'forgotten'
  const came = { echoed: 'it came back', forgotten: 'no echo came', reset: `${probe.ending} came` }
  const evidence =
    `after ${formatDuration(waitMs)} of silence ${messageBytes} B were sent, and ` +
    `${came[fate]} within ${formatDuration(scene.silenceMs)}`
  const seen = fate === 'echoed' ? undefined : await scene.witness(probe)
  await probe.close()
  return { seen, waitMs, fate, evidence }
}

/** Between two requests on one connection. */
export async function silentRequest(scene: Scene, waitMs: number): Promise<Silence> {
  const line = await openLine(scene)
  const { probe } = line
  await post(scene, line, Buffer.from('before'))
  const quietMs = performance.now()
  await quiet(scene, probe, waitMs)
  if (probe.ending !== undefined)
    return { seen: undefined, ...(await closed(probe, waitMs, quietMs)) }
  const answer = await post(scene, line, Buffer.from('behind'))
  const { ending } = probe
  await probe.close()
  const fate = isOk(answer) ? 'echoed' : ending === undefined ? 'forgotten' : 'reset'
  const came = { echoed: 'an answer', forgotten: 'no answer', reset: `${ending}` }[fate]
  const evidence = `after ${formatDuration(waitMs)} without a request the next one got ${came}`
  return { seen: undefined, waitMs, fate, evidence }
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

/** Says nothing for this long, or until the other side has ended it. */
async function quiet({ signal }: Scene, probe: ProbeConnection, waitMs: number): Promise<void> {
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  const ended = () => over.abort()
  if (probe.ending !== undefined) return
  for (const event of ['end', 'close', 'error']) probe.stream.once(event, ended)
  await sleep(waitMs, undefined, { signal: either }).catch(() => signal.throwIfAborted())
}

async function closed(probe: ProbeConnection, waitMs: number, quietMs: number) {
  const endedMs = probe.endedMs - quietMs
  const evidence = `${probe.ending} came after ${formatDuration(endedMs)} of silence`
  await probe.close()
  return { waitMs, fate: 'closed' as const, endedMs, evidence }
}
