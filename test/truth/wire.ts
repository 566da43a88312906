/** From packets to exchanges: which message was sent when, and when its reply was there whole. */
import { framings, type Framed, type Framing } from './framings.ts'
import type { Packet } from './pcap.ts'

/** A message as seen by a witness other than the generator. */
export interface Exchange {
  /** The connection: what tells it from the others. */
  connection: number
  sentMs: number
  /** When its reply was there whole; null if none came. */
  cameMs: number | null
}

/** One direction of a connection: its bytes in order, and when each was there. */
class Flow {
  readonly #pieces: Buffer[] = []
  /** Where the piece ends in the stream, and when it could be read up to there. */
  readonly #ends: { end: number; atMs: number }[] = []
  /** What came before what it follows. */
  readonly #early = new Map<number, Buffer>()
  #first: number | undefined
  #length = 0

  take({ sequence, opens, payload, atMs }: Packet): void {
    if (opens) this.#first = sequence + 1
    if (this.#first === undefined || payload.length === 0) return
    // The numbers wrap around at 2^32.
    const offset = (sequence - this.#first) >>> 0
    this.#early.set(offset, payload)
    for (;;) {
      const next = [...this.#early].find(([at]) => at <= this.#length)
      if (!next) return
      const [at, bytes] = next
      this.#early.delete(at)
      // What was sent again is there already.
      const fresh = bytes.subarray(Math.min(bytes.length, this.#length - at))
      if (fresh.length === 0) continue
      this.#pieces.push(fresh)
      this.#length += fresh.length
      this.#ends.push({ end: this.#length, atMs })
    }
  }

  /** When each message was there, up to its last byte. */
  messagesMs(framing: (stream: Buffer) => number[]): number[] {
    const instants: number[] = []
    let at = 0
    for (const end of framing(Buffer.concat(this.#pieces))) {
      while (this.#ends[at]!.end < end) at++
      instants.push(this.#ends[at]!.atMs)
    }
    return instants
  }
}

/** @param port of the server */
export function exchangesOf(packets: Packet[], port: number, framing: Framing): Exchange[] {
  const { transport, sizeBytes } = framing
  if (transport === 'udp') return ofDatagrams(packets, port, sizeBytes)
  return ofStreams(packets, port, framings[transport](sizeBytes))
}

function ofStreams(packets: Packet[], port: number, { requests, replies }: Framed): Exchange[] {
  const connections = new Map<number, { out: Flow; back: Flow }>()
  for (const packet of packets) {
    if (packet.protocol !== 'tcp') continue
    const client = packet.to === port ? packet.from : packet.to
    const flows = connections.get(client) ?? { out: new Flow(), back: new Flow() }
    connections.set(client, flows)
    if (packet.to === port) flows.out.take(packet)
    else flows.back.take(packet)
  }
  const exchanges: Exchange[] = []
  for (const [connection, { out, back }] of connections) {
    const came = back.messagesMs(replies)
    for (const [n, sentMs] of out.messagesMs(requests).entries())
      exchanges.push({ connection, sentMs, cameMs: came[n] ?? null })
  }
  return exchanges
}

/**
 * An echo has the bytes of its message, and no two messages of a run have the same. What is sent
 * with UDP_SEGMENT (udp(7)) is one packet on the loopback, of several datagrams.
 */
function ofDatagrams(packets: Packet[], port: number, sizeBytes: number): Exchange[] {
  const byContent = new Map<string, Exchange>()
  for (const packet of packets) {
    if (packet.protocol !== 'udp' || (packet.to !== port && packet.from !== port)) continue
    const client = packet.to === port ? packet.from : packet.to
    const { payload, atMs } = packet
    for (let at = 0; at < payload.length; at += sizeBytes) {
      const key = `${client} ${payload.toString('latin1', at, at + sizeBytes)}`
      const exchange = byContent.get(key)
      if (packet.to === port) byContent.set(key, { connection: client, sentMs: atMs, cameMs: null })
      else if (exchange?.cameMs === null) exchange.cameMs = atMs
    }
  }
  return [...byContent.values()]
}
