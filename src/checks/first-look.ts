/** The first look: does a server answer, does it echo, and how long does that take? */
import { bareAt, formatAddress } from '../vocabulary/address.ts'
import { UserError } from '../vocabulary/errors.ts'
import { isDatagrams, transports } from '../vocabulary/transport.ts'
import type { Calling } from '../options/calling.ts'
import { routeOf } from './below.ts'
import { Datagrams } from './datagrams.ts'
import type { Cost } from './limits.ts'
import { infoOf } from './kernel-view.ts'
import type { ProbeConnection } from './probe.ts'
import { message, type Scene } from './scene.ts'

/** How long to wait for the echo of a text without a line end, before a line end is sent. */
const lineMs = 300
const words = Buffer.from('yodel check')
const looks = 3
/** With more bytes than this the other end does not answer: it sends by itself. */
const answerMaxBytes = 65_536

/** If no datagram has come back, the first look waits this many times `silenceMs` for one. */
const latePatience = 3

/** The most that the first look may use. */
export const firstCost: Cost = { atOnce: looks, connections: 6 + looks, bytes: 1_000, ms: 12_000 }

/**
 * @returns how to connect from now on: a certificate that is not trusted is a finding, but the
 * other questions are still asked
 * @throws UserError if no server answers
 */
export async function lookAtFirst(scene: Scene): Promise<Calling> {
  if (isDatagrams(scene.address)) {
    await lookAtDatagrams(scene)
    return scene.calling
  }
  const { known } = scene
  try {
    // If several servers share the address, the one that is met first may be the silent one.
    const before: Look[] = []
    for (let times = 0; times < looks; times++) {
      if (before.length >= scene.limits.maxConnections)
        await Promise.all(before.splice(0).map(({ probe }) => probe.close()))
      if (await look(scene, await scene.open(), before)) return scene.calling
    }
    return scene.calling
  } catch (error) {
    if (!(error instanceof UserError) || bareAt(scene.address) === scene.address) throw error
    await answers(scene, error)
    if (!transports[scene.address.transport].secure) return notSpoken(scene, error)
  }
  const { pin, ...rest } = scene.calling.tls ?? {}
  const calling = { ...scene.calling, tls: { ...rest, insecure: true } }
  try {
    await look(scene, await scene.open(scene.address, calling), [], calling)
    // A client that trusts any certificate cannot have failed because of one.
    if (!scene.calling.tls?.insecure) known.untrusted = true
    known.pin = pin
    return calling
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return notSpoken(scene, error)
  }
}

function notSpoken({ known, calling }: Scene, error: UserError): Calling {
  known.echoes = false
  known.refusal = error.message.replace(/\.$/, '')
  return calling
}

/** @throws `error` if not even the transport below (TCP) gets an answer */
async function answers(scene: Scene, error: UserError): Promise<void> {
  const opening = scene.open(bareAt(scene.address), routeOf(scene.calling))
  const probe = await opening.catch(() => undefined)
  if (!probe) throw error
  await probe.close()
}

/** @throws UserError if nothing comes back */
async function lookAtDatagrams(scene: Scene): Promise<void> {
  const { known, limits } = scene
  const datagrams = await Datagrams.open(scene)
  const tripsOf = () =>
    datagrams.sent.flatMap(({ sentMs, cameMs }) => (cameMs === undefined ? [] : [cameMs - sentMs]))
  for (let time = 0; time < 5 && tripsOf().length < 2; time++)
    // A few answers are enough; each answer that does not come costs time.
    await datagrams.came(datagrams.send(16), limits.silenceMs / 4)
  // On a long path the answers come later.
  const isAnswered = () => tripsOf().length > 0 || datagrams.changed.length > 0
  await datagrams.until(isAnswered, latePatience * limits.silenceMs)
  const times = tripsOf()
  known.rttMs = times.length > 0 ? Math.min(...times) : 0
  if (times.length > 0 || datagrams.changed.length > 0) return
  throw new UserError(
    'network',
    `Nothing comes back from ${formatAddress(scene.address)}: 5 datagrams were sent.`,
    'Check the address and firewalls on the way; start a server with `yodel serve udp://...`.',
  )
}

/** A connection on which a few words were sent. */
interface Look {
  probe: ProbeConnection
  sentMs: number
  /** When the echo came; if something else came, when its first bytes came. */
  cameMs: number
  /** The server echoes by line: the echo came only after a line end was sent behind the words. */
  byLine: boolean
}

const isEcho = ({ received }: ProbeConnection) =>
  received.includes(words) || resembles(received, words)
const isAnswer = (probe: ProbeConnection) => probe.receivedBytes > answerMaxBytes || isEcho(probe)

/**
 * Sends a few words, and learns from the answer. Returns whether anything came.
 * @param before earlier connections without an answer; they stay open, since the answer may be late
 */
async function look(
  scene: Scene,
  probe: ProbeConnection,
  before: Look[],
  calling = scene.calling,
): Promise<boolean> {
  const { known } = scene
  const startedMs = performance.now()
  const own: Look = { probe, sentMs: startedMs, cameMs: startedMs, byLine: false }
  const answered = () => isAnswer(probe)
  let isLineSent = false
  const note = () => {
    own.byLine = isLineSent && probe.received.at(-1) === 10
    own.cameMs = probe.lastMs
  }
  // An answer may come while the next connection is tried.
  probe.stream.once('data', note)
  await probe.write(words)
  if ((await probe.until(answered, lineMs)) === 'silence') {
    const late = probe.until(answered, scene.limits.silenceMs)
    // Only a line end shows whether the server is slow, or echoes by line.
    if (!(await isEarly(late))) {
      isLineSent = true
      await probe.write(Buffer.from('\n'))
      await late
    }
  }
  if (answered()) note()
  before.push(own)
  const chosen =
    before.find(({ probe }) => isAnswer(probe)) ??
    before.find(({ probe }) => probe.receivedBytes > 0) ??
    own
  const came = chosen.probe.receivedBytes > 0 || chosen.probe.ending !== undefined
  learn(scene, chosen)
  if (!came) return false
  if (known.echoes) await measure(scene, chosen.probe)
  await Promise.all(before.map(({ probe }) => probe.close()))
  if (known.greetingBytes > 0) await confirmGreeting(scene, calling)
  // A trace is asked for on a second connection.
  const mayPair = known.echoes && scene.limits.maxConnections > 1
  if (mayPair && (await scene.pairs(calling))) known.paired = true
  return came
}

/** Keeps what that connection has shown about the path. */
function learn({ known }: Scene, { probe, sentMs, cameMs, byLine }: Look): void {
  known.byLine = byLine
  known.rttMs = Math.max(0, cameMs - sentMs)
  known.echoes = isEcho(probe)
  known.exact = probe.received.includes(words)
  known.greetingBytes = Math.max(0, probe.received.indexOf(words))
  known.pathMtuBytes = infoOf(probe)?.pathMtuBytes
}

/** Bytes in front of an echo are a greeting only if they also come when nothing was sent. */
async function confirmGreeting(scene: Scene, calling: Calling): Promise<void> {
  const { known } = scene
  const bytes = known.greetingBytes
  known.greetingBytes = 0
  const probe = await scene.open(scene.address, calling)
  await probe.bytes(bytes, scene.silenceMs)
  await probe.close()
  known.greetingBytes = probe.receivedBytes
  if (probe.receivedBytes === 0) known.exact = false
}

/** The shortest of a few round trips, if there is time for them: the first one is often late. */
async function measure(scene: Scene, probe: ProbeConnection): Promise<void> {
  const { known, limits } = scene
  const sent = message(known, words.length)
  const endMs = performance.now() + 2 * limits.silenceMs
  for (let times = 0; times < 3 && performance.now() + known.rttMs < endMs; times++) {
    probe.discard()
    const sentMs = performance.now()
    await probe.write(sent)
    if ((await probe.bytes(sent.length, scene.silenceMs)) !== 'done') return
    known.rttMs = Math.min(known.rttMs, probe.lastMs - sentMs)
  }
}

/** Whether the answer comes before a line end has to be sent. */
const isEarly = (late: Promise<unknown>): Promise<boolean> =>
  Promise.race([
    late.then(() => true),
    new Promise<false>(resolve => setTimeout(resolve, lineMs, false)),
  ])

/** Translated text still counts as an echo: most of its letters are there. */
function resembles(received: Buffer, sent: Buffer): boolean {
  if (received.length < sent.length / 2 || received.length > sent.length * 2) return false
  const letters = (bytes: Buffer) =>
    bytes.toString('latin1').toLowerCase().split('').filter(isLetter).toSorted().join('')
  return letters(received) === letters(sent)
}

const isLetter = (letter: string) => letter >= 'a' && letter <= 'z'
