/** In which direction a connection went wrong: compares what both ends saw. */
import type { Account } from '../engines/accounts.ts'
import type { Trace, TraceEvent } from '../wire/direction/trace.ts'
import { formatDuration, formatSize } from '../vocabulary/units.ts'
import type { ProbeConnection } from './probe.ts'
import type { Found, CauseSide } from './found.ts'

export interface Attribution {
  side: CauseSide
  /** Where the fault is, and what both ends saw of it: a sentence without its full stop. */
  where: string
  evidence: string
}

/**
 * The parts of a trace that are compared here; without a digest where the other end only counts
 * bytes.
 */
type SeenTrace = Pick<Trace, 'from' | 'bytesIn' | 'bytesOut' | 'events' | 'digestOut'> & {
  digest?: string
}

/** Uses the account of the other end, which counts bytes but does not look at them. */
export function attributeAccount(probe: ProbeConnection, account: Account): Attribution {
  const { peer, bytesIn, bytesOut, openedAt } = account
  const ends = account.events.map(({ at, what }) => ({ atMs: at - openedAt, what }))
  // An account does not say when the last byte came; this assumes that it came as soon as it was
  // sent.
  const untilMs = Math.max(0, probe.wroteMs - probe.openedMs)
  const bytes = { what: 'bytes' as const, atMs: 0, bytes: bytesIn, untilMs }
  const trace: SeenTrace = { from: peer, bytesIn, bytesOut, events: [bytes, ...ends] }
  const evidence = told(probe, trace)
  const found = ofBytes(probe, trace) ?? ofEnds(probe, trace)
  if (found) return { ...found, evidence }
  return { side: 'unknown', where: 'what both ends counted does not differ', evidence }
}

/** If a FIN is passed on this much later than it was sent, it waited on the way. */
const lateMs = 100

/** @param trace null: the other end knows nothing of that connection */
export function attribute(probe: ProbeConnection, trace: Trace | null): Attribution {
  if (!trace)
    return {
      side: 'unknown',
      where: 'another server answered the question for its trace: a balancer is on the way',
      evidence: 'the other end has no trace of this connection',
    }
  const evidence = told(probe, trace)
  const found = ofBytes(probe, trace) ?? ofEnds(probe, trace) ?? ofContent(probe, trace)
  if (found) return { ...found, evidence }
  return { side: 'unknown', where: 'what both ends saw does not differ', evidence }
}

type CauseAt = Pick<Attribution, 'side' | 'where'>
const at = (side: CauseSide, where: string): CauseAt => ({ side, where })

function ofBytes(probe: ProbeConnection, trace: SeenTrace): CauseAt | undefined {
  const { sentBytes, allReceivedBytes: came } = probe
  const { bytesIn, bytesOut } = trace
  const sizes = `${formatSize(sentBytes)} were sent, ${formatSize(bytesIn)} arrived`
  if (bytesIn < sentBytes) {
    if (probe.ending !== undefined && find(trace, 'reset')) return undefined
    return at('up', `on the way to the other end: ${sizes} there`)
  }
  if (bytesIn > sentBytes) return at('up', `bytes were added on the way to the other end: ${sizes}`)
  if (trace.digest !== undefined && trace.digest !== probe.sentDigest)
    return at(
      'up',
      'on the way to the other end: the number of bytes is right there, but the bytes differ',
    )
  if (bytesOut < bytesIn)
    return at('other end', `the other end received all, and sent ${formatSize(bytesOut)} back`)
  if (bytesOut > bytesIn)
    return at('other end', `the other end received all, and sent ${formatSize(bytesOut)}: more`)
  if (came !== bytesOut)
    return at(
      'down',
      `on the way back: the other end received all and sent ${formatSize(bytesOut)}, ` +
        `${formatSize(came)} came`,
    )
  return undefined
}

/**
 * Where bytes were changed, if as many came back as were sent, and the right ones arrived at the
 * other end.
 */
function ofContent(probe: ProbeConnection, { digest, digestOut }: SeenTrace): CauseAt | undefined {
  // Without the digest of the echo that is not known.
  if (digestOut === undefined) return undefined
  if (digestOut !== digest)
    return at('other end', 'the other end received the right bytes, and sent other bytes back')
  if (probe.cameDigest !== digestOut)
    return at(
      'down',
      'on the way back: the right bytes arrived at the other end, and it sent them back, but ' +
        'other bytes came',
    )
  return undefined
}

/** Which end ended the connection, by what both ends saw. */
export function ofEnds(
  probe: Pick<
    ProbeConnection,
    'ending' | 'finMs' | 'wroteMs' | 'lastMs' | 'endedMs' | 'allReceivedBytes'
  >,
  trace: Pick<SeenTrace, 'events'>,
): CauseAt | undefined {
  const [fin, reset] = [find(trace, 'fin'), find(trace, 'reset')]
  // A program may close a connection without sending FIN first, as at an idle timeout.
  const [first] = trace.events.filter(({ what }) => what !== 'bytes')
  const isClosed = first?.what === 'closed'
  const ended = find(trace, 'ended') ?? (isClosed ? first : undefined)
  const sentFin = !Number.isNaN(probe.finMs)
  if (probe.ending === 'RST' || probe.ending === 'broken') {
    if (reset)
      return at(
        'on the way',
        'between both ends: each of them got a RST that the other had not sent',
      )
    // If a program closes a connection with unread bytes, its system sends RST.
    return isClosed
      ? at('other end', 'the other end closed the connection by itself')
      : at('on the way', 'between both ends: the other end sent no RST')
  }
  if (probe.ending === 'FIN' && !sentFin)
    return ended && !(fin && fin.atMs < ended.atMs)
      ? at('other end', `the other end ${isClosed ? 'closed' : 'ended'} the connection by itself`)
      : at('on the way', 'between both ends: each of them got a FIN that the other had not sent')
  if (!sentFin) return undefined
  if (probe.ending === undefined) {
    if (!fin) return at('up', 'on the way to the other end: FIN did not arrive there')
    if (ended) return at('down', 'on the way back: FIN arrived there, and was answered')
    return at('other end', 'FIN arrived at the other end, and was not answered')
  }
  if (!fin || !ended) return undefined
  const lastMs = trace.events.findLast(event => event.what === 'bytes')?.untilMs ?? 0
  const cameMs = probe.allReceivedBytes > 0 ? probe.lastMs : probe.finMs
  const wholeMs = probe.endedMs - Math.max(probe.finMs, cameMs)
  const upMs = fin.atMs - lastMs - (probe.finMs - probe.wroteMs)
  const endMs = ended.atMs - fin.atMs
  const mostMs = Math.max(upMs, endMs, wholeMs - upMs - endMs)
  if (mostMs < lateMs) return undefined
  if (mostMs === upMs) return at('up', 'on the way to the other end: FIN arrived there late')
  if (mostMs === endMs) return at('other end', 'the other end answered FIN late')
  return at('down', 'on the way back: FIN arrived in time, and was answered at once')
}

const find = (trace: Pick<SeenTrace, 'events'>, what: TraceEvent['what']) =>
  trace.events.find(event => event.what === what)

/** `the other end (10.0.0.7:7000) saw 100 B come at 1ms, FIN at 2ms; it sent 100 B back`. */
function told(probe: ProbeConnection, trace: SeenTrace): string {
  const names = { fin: 'FIN', reset: 'RST', ended: 'its own FIN', closed: 'the close' }
  const ends = trace.events.flatMap(event =>
    event.what === 'bytes' || event.what === 'failed'
      ? []
      : [`${names[event.what]} at ${formatDuration(Math.max(0, event.atMs))}`],
  )
  const same = trace.bytesIn === probe.sentBytes && trace.digest === probe.sentDigest
  const which = same ? ', the same bytes' : ''
  const [sent, arrived, back] = [probe.sentBytes, trace.bytesIn, trace.bytesOut].map(formatSize)
  const from = trace.from ?? 'here'
  const till =
    ends.length > 0 ? `; ${ends.join(', ')} after it was accepted` : ', and is open there'
  return (
    `the other end, of a connection from ${from}: ${arrived} of ${sent} arrived${which}, ` +
    `${back} went back${till}`
  )
}

/**
 * A finding with what the other end saw. If the other end's view does not show the side, the
 * finding keeps its own.
 */
export function witnessed<Name extends string>(
  found: Found<Name>,
  seen: Attribution | undefined,
): Found<Name> {
  if (!seen) return found
  const witness = seen.evidence
  if (seen.side === 'unknown') return { ...found, witness }
  return { ...found, witness, side: seen.side, where: seen.where }
}

/** For a connection on which each side counts all bytes on the wire, also the bytes of frames. */
export function attributeWire(
  { sent, came }: { sent: number; came: number },
  { peer, bytesIn, bytesOut }: Account,
): Attribution {
  const evidence =
    `the other end, of a connection from ${peer}: ${formatSize(bytesIn)} of ${formatSize(sent)} ` +
    `arrived, ${formatSize(bytesOut)} went back, ${formatSize(came)} came`
  if (bytesIn < sent)
    return { ...at('up', 'on the way to the other end: not all of it arrived there'), evidence }
  if (bytesIn > sent)
    return { ...at('up', 'bytes were added on the way to the other end'), evidence }
  if (came < bytesOut)
    return {
      ...at('down', 'on the way back: the other end received all, but not all came back'),
      evidence,
    }
  if (came > bytesOut)
    return { ...at('down', 'bytes were added on the way back from the other end'), evidence }
  const where = 'all of it arrived at the other end, and all that the other end sent has come'
  return { ...at('other end', where), evidence }
}
