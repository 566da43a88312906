/**
 * Decides which datagrams are not answered. A sender can write any source on a datagram, so an
 * echo server helps attackers to flood others (RFC 862, CVE-1999-0103), and two servers that
 * answer each other never end (CVE-2024-2169).
 */
import { BlockList, isIPv6 } from 'node:net'
import { Recent } from './recent.ts'

/**
 * Source ports from 1 to 1023; ports on which this process serves udp; broadcast; multicast;
 * datagrams that come again and again from a port that systems do not give to clients.
 */
export const datagramRules = ['low-ports', 'own-ports', 'broadcast', 'multicast', 'loops'] as const
export type DatagramRule = (typeof datagramRules)[number]

interface Rules {
  /** Answers per second to one address; undefined: the default. */
  ratePerSource: number | undefined
  /** The rules that are lifted. */
  allow: readonly DatagramRule[]
}

/** Why a datagram is not answered, by the name of its counter. */
export type DatagramRefusal =
  | 'datagramsWithoutSource'
  | 'datagramsFromLowPort'
  | 'datagramsFromOwnPort'
  | 'datagramsFromBroadcast'
  | 'datagramsFromMulticast'
  | 'datagramsInLoop'
  | 'datagramsOverRate'

/** The default rate to a source that is not on this machine; per second. */
const ratePerSecondDefault = 10_000
/** Sources that are remembered, by address and by port: a few MB at most. */
const sourcesMax = 8_192
/** The lowest port that systems give to clients (ip(7), ip_local_port_range). */
const clientPortsFrom = 32_768
/** A datagram that comes more often than this within `repeatedWithinMs` is not a heartbeat. */
const repeatedMax = 1_000
/** The limit for a port that may be that of a client, since a client may repeat itself. */
const repeatedByClientMax = 10_000
const repeatedWithinMs = 60_000
/** A datagram that has not come again for this time is forgotten. */
const goneMs = 1_000
/** For how long a server in a loop gets no answer: longer than one round of the loop. */
const pauseMs = 100
/** How much of a datagram is compared. */
const comparedBytes = 64

/** An address, and how many datagrams may be sent to it now. */
interface Source {
  refusedAs: DatagramRefusal | undefined
  /** How many datagrams may be sent to the address per second; Infinity: no limit. */
  ratePerSecond: number
  tokens: number
  filledAtMs: number
}

/** A datagram that keeps coming from one address and port. */
interface Repetition {
  first: Buffer
  length: number
  /**
   * At which byte the last datagram that was not the same differed. Usually the next one differs
   * there, too, so this byte is compared first.
   */
  differsAt: number
  count: number
  sinceMs: number
  lastMs: number
  pausedUntilMs: number
}

/** Everything that the guard knows of a sender, for an engine that keeps it. */
export interface GuardedSender {
  readonly source: Source
  /**
   * The repetition at that port; undefined if the rule is lifted, or no datagram of the source is
   * answered.
   */
  readonly repetition: Repetition | undefined
  readonly port: number
}

export class Guard {
  readonly #ratePerSource: number | undefined
  readonly #holds: ReadonlySet<DatagramRule>
  readonly #holdsLowPorts: boolean
  readonly #holdsOwnPorts: boolean
  /** How many sockets of this process listen on each port. */
  readonly #ownPorts: Uint16Array
  readonly #broadcasts: ReadonlySet<string>
  readonly #sources = new Recent<Source>(sourcesMax)
  readonly #repetitions = new Recent<Repetition>(sourcesMax)

  /** @param broadcasts the broadcast addresses of the networks of this machine */
  constructor(
    { ratePerSource, allow }: Rules,
    ownPorts: Uint16Array,
    broadcasts: ReadonlySet<string>,
  ) {
    this.#broadcasts = broadcasts
    this.#ratePerSource = ratePerSource
    this.#ownPorts = ownPorts
    this.#holds = new Set(datagramRules.filter(rule => !allow.includes(rule)))
    this.#holdsLowPorts = this.#holds.has('low-ports')
    this.#holdsOwnPorts = this.#holds.has('own-ports')
  }

  /** Why a datagram is not answered; undefined if it is. */
  refusal(data: Buffer, address: string, port: number, nowMs: number): DatagramRefusal | undefined {
    const refused = this.refusalOfPort(port)
    if (refused !== undefined) return refused
    const source = this.#source(address, nowMs)
    const repetition = this.#repetition(source, address, port)
    return refusalFrom(source, repetition, port, data, 0, data.length, nowMs)
  }

  /** Why nothing from that port is answered. */
  refusalOfPort(port: number): DatagramRefusal | undefined {
    if (port === 0) return 'datagramsWithoutSource'
    if (port < 1024 && this.#holdsLowPorts) return 'datagramsFromLowPort'
    if (this.#ownPorts[port]! > 0 && this.#holdsOwnPorts) return 'datagramsFromOwnPort'
    return undefined
  }

  /**
   * What is known of a sender, for an engine that gets many datagrams of it: it asks once, and
   * passes the answer on with each datagram. The answer is valid until `turnovers` grows.
   */
  sender(address: string, port: number, nowMs: number): GuardedSender {
    const source = this.#source(address, nowMs)
    return { source, repetition: this.#repetition(source, address, port), port }
  }

  /** How often old entries were forgotten. If it grows, call sender() again for those in use. */
  get turnovers(): number {
    return this.#sources.turnovers + this.#repetitions.turnovers
  }

  /** Why these bytes are not answered, if the port alone is no reason. */
  refusalFrom(
    { source, repetition, port }: GuardedSender,
    bytes: Uint8Array,
    at: number,
    length: number,
    nowMs: number,
  ): DatagramRefusal | undefined {
    return refusalFrom(source, repetition, port, bytes, at, length, nowMs)
  }

  #source(address: string, nowMs: number): Source {
    let source = this.#sources.get(address)
    if (!source) this.#sources.set(address, (source = this.#sourceOf(address, nowMs)))
    return source
  }

  #repetition(source: Source, address: string, port: number): Repetition | undefined {
    if (source.refusedAs !== undefined || !this.#holds.has('loops')) return undefined
    const key = `${address} ${port}`
    let seen = this.#repetitions.get(key)
    if (!seen) this.#repetitions.set(key, (seen = noneYet()))
    return seen
  }

  #sourceOf(address: string, nowMs: number): Source {
    const kind = addressKindOf(address, this.#broadcasts)
    const usual = kind === 'loopback' ? Infinity : ratePerSecondDefault
    const ratePerSecond = this.#ratePerSource ?? usual
    return {
      refusedAs: this.#refusedAs(kind),
      ratePerSecond,
      tokens: roomOf(ratePerSecond),
      filledAtMs: nowMs,
    }
  }

  #refusedAs(kind: AddressKind): DatagramRefusal | undefined {
    if (kind === 'nowhere') return 'datagramsWithoutSource'
    if (kind === 'broadcast' && this.#holds.has(kind)) return 'datagramsFromBroadcast'
    if (kind === 'multicast' && this.#holds.has(kind)) return 'datagramsFromMulticast'
    return undefined
  }
}

function refusalFrom(
  source: Source,
  repetition: Repetition | undefined,
  port: number,
  bytes: Uint8Array,
  at: number,
  length: number,
  nowMs: number,
): DatagramRefusal | undefined {
  if (source.refusedAs !== undefined) return source.refusedAs
  if (repetition && isLoop(repetition, port, bytes, at, length, nowMs)) return 'datagramsInLoop'
  return source.ratePerSecond === Infinity || take(source, nowMs) ? undefined : 'datagramsOverRate'
}

const empty = Buffer.alloc(0)
const noneYet = (): Repetition => ({
  first: empty,
  length: -1,
  differsAt: 0,
  count: 0,
  sinceMs: 0,
  lastMs: 0,
  pausedUntilMs: 0,
})

/**
 * A client that repeats its message as soon as it has come back looks exactly like an echo server.
 * If the source has the port of a server, it gets no answer for a while. That ends every loop,
 * since neither side of a loop sends by itself. If it has the port of a client, it gets no answer
 * to one datagram of very many. That ends a loop, too; several loops end one after the other.
 */
function isLoop(
  seen: Repetition,
  port: number,
  bytes: Uint8Array,
  at: number,
  length: number,
  nowMs: number,
): boolean {
  const mayBeClient = port >= clientPortsFrom
  if (nowMs < seen.pausedUntilMs) return true
  const over = nowMs - seen.sinceMs > repeatedWithinMs || nowMs - seen.lastMs > goneMs
  if (seen.count === 0 || over) {
    seen.first = Buffer.from(bytes.subarray(at, at + Math.min(length, comparedBytes)))
    seen.length = length
    seen.differsAt = 0
    seen.count = 1
    seen.sinceMs = seen.lastMs = nowMs
    return false
  }
  if (length !== seen.length || differs(seen, bytes, at)) return false
  seen.lastMs = nowMs
  if (++seen.count <= (mayBeClient ? repeatedByClientMax : repeatedMax)) return false
  seen.count = 0
  if (!mayBeClient) seen.pausedUntilMs = nowMs + pauseMs
  return true
}

function differs(seen: Repetition, bytes: Uint8Array, at: number): boolean {
  const { first, differsAt } = seen
  if (first[differsAt] !== bytes[at + differsAt]) return first.length > 0
  for (let n = 0; n < first.length; n++) {
    if (first[n] === bytes[at + n]) continue
    seen.differsAt = n
    return true
  }
  return false
}

/** The size of the token bucket: as many datagrams as one second allows. */
const roomOf = (ratePerSecond: number) => Math.max(1, ratePerSecond)

/** Takes a token from the bucket of a source; false if it is empty. */
function take(source: Source, nowMs: number): boolean {
  const { ratePerSecond } = source
  const filled = source.tokens + ((nowMs - source.filledAtMs) / 1e3) * ratePerSecond
  source.tokens = Math.min(roomOf(ratePerSecond), filled)
  source.filledAtMs = nowMs
  if (source.tokens < 1) return false
  source.tokens--
  return true
}

export type AddressKind = 'loopback' | 'broadcast' | 'multicast' | 'nowhere' | 'other'

const ranges: Record<Exclude<AddressKind, 'other'>, BlockList> = {
  loopback: new BlockList(),
  broadcast: new BlockList(),
  multicast: new BlockList(),
  nowhere: new BlockList(),
}
ranges.loopback.addSubnet('127.0.0.0', 8)
ranges.loopback.addAddress('::1', 'ipv6')
ranges.broadcast.addAddress('255.255.255.255')
ranges.broadcast.addAddress('127.255.255.255')
ranges.multicast.addSubnet('224.0.0.0', 4)
ranges.multicast.addSubnet('ff00::', 8, 'ipv6')
ranges.nowhere.addSubnet('0.0.0.0', 8)
ranges.nowhere.addAddress('::', 'ipv6')

/** @param broadcasts the broadcast addresses of the networks of this machine */
export function addressKindOf(address: string, broadcasts: ReadonlySet<string>): AddressKind {
  const bare = address.replace(/%.*/, '').replace(/^::ffff:(?=\d+\.)/i, '')
  if (broadcasts.has(bare)) return 'broadcast'
  const family = isIPv6(bare) ? 'ipv6' : 'ipv4'
  for (const kind of ['broadcast', 'multicast', 'nowhere', 'loopback'] as const)
    if (ranges[kind].check(bare, family)) return kind
  return 'other'
}
