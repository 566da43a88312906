/** What one end saw of a connection, in a form that can be sent to the other end. */
import { createHash } from 'node:crypto'

/** A place where other bytes came than were sent. Bytes are hexadecimal. */
export interface WrongPlace {
  offset: number
  expected: string
  received: string
}

/** A distribution, as metrics/histogram counts. */
export interface TracedTimes {
  sumNs: number
  buckets: [bucket: number, count: number][]
}

/** The received datagrams, without those of the warm-up. */
export interface DatagramsSeen {
  /** How many different datagrams came. */
  measured: number
  duplicated: number
  /** Datagrams that came after one that was sent later. */
  reordered: number
  /** With wrong bytes; `wrongHeads`: in the header, so it is not known which they were. */
  wrong: number
  wrongHeads: number
  /** The jitter of RFC 3550. */
  jitterUs: number
  /**
   * The delay above the smallest delay, and the difference to the datagram before (RFC 5481: PDV,
   * IPDV).
   */
  variation: TracedTimes
  between: TracedTimes
}

/** What a receiver knows at the end. */
export interface ReceiverEnd {
  /** When the first payload came, and the last. */
  firstMs: number
  lastMs: number
  chunks: number
  /** The times between arrivals. */
  gaps: TracedTimes
  firstWrong?: WrongPlace | undefined
  datagrams?: DatagramsSeen | undefined
}

/** What the receiver of a direction saw. Times are milliseconds since it accepted the session. */
export interface Report {
  bytes: number
  /** When the last bytes arrived. */
  atMs: number
  wrongBytes: number
  /** Only in the last report. */
  end?: ReceiverEnd | undefined
}

/** Whether the values may be a report. (The buckets are checked when they are read.) */
export function isReport({ bytes, atMs, wrongBytes, end }: Partial<Report>): boolean {
  if (![bytes, wrongBytes].every(isCount) || !Number.isFinite(atMs)) return false
  if (end === undefined) return true
  if (typeof end !== 'object' || end === null || typeof end.gaps !== 'object') return false
  if (![end.firstMs, end.lastMs, end.chunks].every(Number.isFinite)) return false
  return end.gaps !== null && isPlace(end.firstWrong) && isSeen(end.datagrams)
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

const isPlace = (place: WrongPlace | undefined): boolean =>
  place === undefined ||
  (typeof place === 'object' &&
    place !== null &&
    Number.isFinite(place.offset) &&
    typeof place.expected === 'string' &&
    typeof place.received === 'string')

const isSeen = (seen: DatagramsSeen | undefined): boolean =>
  seen === undefined ||
  (typeof seen === 'object' &&
    seen !== null &&
    [seen.measured, seen.duplicated, seen.reordered, seen.wrong, seen.wrongHeads].every(isCount) &&
    Number.isFinite(seen.jitterUs))

export type TraceEvent =
  /** Bytes that came one after the other, with at most `mergeMs` between them. */
  | { atMs: number; what: 'bytes'; bytes: number; untilMs: number }
  /**
   * `fin`: the client's FIN; `reset`: its RST; `ended`: this end's FIN; `closed`: the end of the
   * connection.
   */
  | { atMs: number; what: 'fin' | 'reset' | 'ended' | 'closed' }
  | { atMs: number; what: 'failed'; reason: string }

export interface Trace {
  mode: string
  /** Milliseconds since 1970. All other times are milliseconds after that. */
  acceptedAt: number
  /** The client's address as this end sees it, and the own one; absent on a unix socket. */
  from?: string | undefined
  to?: string | undefined
  /** The client's address by a PROXY header. */
  forwardedFrom?: string | undefined
  /** The request of an upgrade, or of HTTP. */
  request?: { method: string; path: string; headers: [name: string, value: string][] } | undefined
  tls?: Record<string, string> | undefined
  /** Bytes that came after the hello. */
  bytesIn: number
  /** Bytes of the echo that the system has accepted. */
  bytesOut: number
  /** SHA-256 of what came in, hexadecimal, and the first and the last of these bytes. */
  digest: string
  /** SHA-256 of the echo; absent if a part of it was written past the stream. */
  digestOut?: string | undefined
  head: string
  tail: string
  events: TraceEvent[]
  /** How many further events were left out, because there was no room. */
  eventsLeftOut: number
  isOpen: boolean
}

/** How much of the beginning and of the end is kept. */
const sampleBytes = 256
const eventsMax = 1_000
/** Bytes that come within this time after others belong to the same event. */
const mergeMs = 5

type What = Exclude<TraceEvent['what'], 'bytes' | 'failed'>

/** The part of a trace that a tracer finds out. */
type TracerFindings = Pick<
  Trace,
  'bytesIn' | 'digest' | 'head' | 'tail' | 'events' | 'eventsLeftOut'
>

/** Traces the bytes that came in, in constant memory. */
export class Tracer {
  readonly #startMs: number
  readonly #hash = createHash('sha256')
  readonly #events: TraceEvent[] = []
  #leftOut = 0
  #bytesIn = 0
  #head = Buffer.alloc(0)
  #tail = Buffer.alloc(0)

  constructor(startMs: number) {
    this.#startMs = startMs
  }

  bytes(chunk: Buffer, nowMs: number): void {
    const atMs = this.#at(nowMs)
    this.#bytesIn += chunk.length
    this.#hash.update(chunk)
    if (this.#head.length < sampleBytes)
      this.#head = Buffer.concat([this.#head, chunk.subarray(0, sampleBytes - this.#head.length)])
    this.#tail = Buffer.concat([this.#tail, chunk.subarray(-sampleBytes)]).subarray(-sampleBytes)
    const last = this.#events.at(-1)
    if (last?.what === 'bytes' && atMs - last.untilMs <= mergeMs) {
      last.bytes += chunk.length
      last.untilMs = atMs
    } else this.#add({ atMs, what: 'bytes', bytes: chunk.length, untilMs: atMs })
  }

  note(what: What, nowMs: number): void {
    this.#add({ atMs: this.#at(nowMs), what })
  }

  failed(reason: string, nowMs: number): void {
    this.#add({ atMs: this.#at(nowMs), what: 'failed', reason })
  }

  #at(nowMs: number): number {
    return Math.round((nowMs - this.#startMs) * 1e3) / 1e3
  }

  #add(event: TraceEvent) {
    // The end of a connection matters more than bytes in between, so it is always listed.
    if (this.#events.length < eventsMax || event.what !== 'bytes') this.#events.push(event)
    else this.#leftOut++
  }

  get found(): TracerFindings {
    return {
      bytesIn: this.#bytesIn,
      digest: this.#hash.copy().digest('hex'),
      head: this.#head.toString('hex'),
      tail: this.#tail.toString('hex'),
      events: this.#events,
      eventsLeftOut: this.#leftOut,
    }
  }
}
