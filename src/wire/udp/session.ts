/**
 * A session in band over datagrams: the same hello, then datagrams that name it. No answer of the
 * server is longer than its question. The server sends payload only to an address that has returned
 * a cookie.
 *
 *   payload:  see payload-head
 *   others:   kind 1 | 0 | length of the body 2 | session 4 | checksum 4 | body
 *
 * A body is JSON, or a piece of a report. The checksum is the CRC-32 of zlib over all but itself.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** The first byte; none of them is the first byte of a hello. */
export const datagramKinds = {
  accepted: 0xb1,
  refused: 0xb2,
  payload: 0xb3,
  /** The answer to `alive`: how much the receiver has so far. */
  report: 0xb4,
  /**
   * From the client: it sends nothing more. The server stops, and answers how much it has sent, and
   * whether it had stopped before.
   */
  end: 0xb5,
  /** The answer to a hello without a cookie. */
  cookie: 0xb8,
  /** From the client, several times a second: the server sends payload until a second after it. */
  alive: 0xb9,
  /** From the client: asks for the last report, from a certain byte on. */
  ask: 0xba,
  piece: 0xbb,
} as const
const allKinds = new Set<number | undefined>(Object.values(datagramKinds))
type DatagramKind = (typeof datagramKinds)[keyof typeof datagramKinds]

/** The length of the header of a datagram without payload. */
export const otherHeadBytes = 12
const checksumAt = 8
/** The length of a question, which its answer must not exceed. */
export const questionBytes = 1_200
export const piecesMaxBytes = questionBytes - otherHeadBytes - 8
/** The longest report; a longer one is refused. */
export const reportMaxBytes = 2 ** 20

/** The word by which datagrams name their session. */
export const wordOf = (id: string): number => Number.parseInt(id.slice(0, 8), 16)

/** Padded to this many bytes, so that an answer can be as long. */
export function writeOther(kind: DatagramKind, session: number, body: object, bytes = 0): Buffer {
  const text = Buffer.from(JSON.stringify(body))
  const datagram = Buffer.alloc(Math.max(bytes, otherHeadBytes + text.length))
  datagram[0] = kind
  datagram.writeUInt16BE(text.length, 2)
  datagram.writeUInt32BE(session, 4)
  text.copy(datagram, otherHeadBytes)
  return sealed(datagram)
}

/** Writes the checksum of a datagram that is complete otherwise. */
export function sealed(datagram: Buffer): Buffer {
  datagram.writeUInt32BE(checksumOfOther(datagram), checksumAt)
  return datagram
}

const checksumOfOther = (datagram: Buffer): number =>
  crc32(datagram.subarray(otherHeadBytes), crc32(datagram.subarray(0, checksumAt)))

const isIntact = (datagram: Buffer): boolean =>
  datagram.length >= otherHeadBytes &&
  datagram.readUInt32BE(checksumAt) === checksumOfOther(datagram)

/** Pads a hello, since an answer may not be longer than the hello. */
export const padded = (hello: Buffer): Buffer =>
  Buffer.concat([hello, Buffer.alloc(Math.max(0, 512 - hello.length))])

/** Reads the body; undefined if it makes no sense, or was changed on the way. */
export function readOther(datagram: Buffer): Record<string, unknown> | undefined {
  if (!isIntact(datagram)) return undefined
  const end = otherHeadBytes + datagram.readUInt16BE(2)
  if (end > datagram.length) return undefined
  try {
    const body = JSON.parse(datagram.toString('utf8', otherHeadBytes, end)) as unknown
    if (typeof body === 'object' && body !== null) return body as Record<string, unknown>
  } catch {
    return undefined
  }
  return undefined
}

/** Whether the first byte is not that of any datagram of a session. */
export const isOfNoKind = (datagram: Buffer): boolean => !allKinds.has(datagram[0])

/**
 * Whether only a client sends such a datagram: a server that sends it is an echo server without
 * sessions.
 */
export function isOfClient(datagram: Buffer): boolean {
  const { alive, ask, end } = datagramKinds
  const body = readOther(datagram)
  if (body === undefined) return false
  if (datagram[0] !== end) return datagram[0] === alive || datagram[0] === ask
  return !('sentBytes' in body)
}

/** A piece of a report, which may be longer than a datagram. */
export function writePiece(session: number, report: Buffer, from: number): Buffer {
  const piece = report.subarray(from, from + piecesMaxBytes)
  const datagram = Buffer.alloc(otherHeadBytes + 8 + piece.length)
  datagram[0] = datagramKinds.piece
  datagram.writeUInt32BE(session, 4)
  datagram.writeUInt32BE(from, otherHeadBytes)
  datagram.writeUInt32BE(report.length, otherHeadBytes + 4)
  piece.copy(datagram, otherHeadBytes + 8)
  return sealed(datagram)
}

const placeOf = (piece: Buffer): [from: number, total: number] => [
  piece.readUInt32BE(otherHeadBytes),
  piece.readUInt32BE(otherHeadBytes + 4),
]

export function readPiece(
  datagram: Buffer,
): { from: number; total: number; bytes: Buffer } | undefined {
  if (datagram.length < otherHeadBytes + 8 || !isIntact(datagram)) return undefined
  const [from, total] = placeOf(datagram)
  return { from, total, bytes: datagram.subarray(otherHeadBytes + 8) }
}

/**
 * The length of the first of several datagrams that the system has joined (os/datagram-joined).
 * Only the last may be shorter. Any byte of it may have been changed on the way.
 * @param payloadBytes the length of a datagram with payload
 */
export function lengthOfFirst(joined: Buffer, payloadBytes: number): number {
  if (joined[0] === datagramKinds.payload) return payloadBytes
  if (joined.length < otherHeadBytes) return otherHeadBytes
  if (joined[0] === datagramKinds.piece) {
    if (joined.length < otherHeadBytes + 8) return joined.length
    const [from, total] = placeOf(joined)
    if (from > total || total > reportMaxBytes) return payloadBytes
    return otherHeadBytes + 8 + Math.max(0, Math.min(piecesMaxBytes, total - from))
  }
  // No body is empty: that is payload of which the kind was changed.
  const bodyBytes = joined.readUInt16BE(2)
  return bodyBytes === 0 ? payloadBytes : otherHeadBytes + bodyBytes
}

/**
 * The datagrams of a server in what the system has joined. What cannot begin a datagram belongs to
 * the one before it, which was made longer on the way.
 * @param payloadBytes the length of a datagram with payload
 */
export function separated(joined: Buffer, payloadBytes: number, session: number): Buffer[] {
  const length = lengthOfFirst(joined, payloadBytes)
  const found: Buffer[] = []
  for (let at = 0; at < joined.length;) {
    const rest = joined.subarray(at + length)
    const end = canBegin(rest, session) ? at + length : joined.length
    found.push(joined.subarray(at, end))
    at = end
  }
  return found
}

/** The kind may have been changed on the way, too. */
const canBegin = (datagram: Buffer, session: number): boolean =>
  datagram.length >= otherHeadBytes &&
  (!isOfNoKind(datagram) || datagram.readUInt32BE(4) === session)

/** Whether it has the form of a cookie of `Cookies`. */
export const isCookie = (given: unknown): given is string =>
  typeof given === 'string' && /^[0-9a-f]{32}$/.test(given)

/** A cookie is valid for one to two times this long. */
const cookieMs = 10_000

/**
 * Makes and checks cookies without storing them. A client that returns a cookie has shown that it
 * receives at its address.
 */
export class Cookies {
  readonly #secret: Buffer

  constructor(secret: Buffer) {
    this.#secret = secret
  }

  of(address: string, port: number, nowMs: number): string {
    const slot = Math.floor(nowMs / cookieMs)
    const mac = createHmac('sha256', this.#secret).update(`${slot} ${port} ${address}`)
    return mac.digest('hex').slice(0, 32)
  }

  isGood(cookie: string, address: string, port: number, nowMs: number): boolean {
    return [0, cookieMs].some(age => {
      const [given, good] = [Buffer.from(cookie), Buffer.from(this.of(address, port, nowMs - age))]
      return given.length === good.length && timingSafeEqual(given, good)
    })
  }
}
