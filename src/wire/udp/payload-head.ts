/**
 * The header of a datagram with payload. The receiver verifies it, as it verifies the payload: a
 * changed number would be taken for loss, and a changed instant for a delay.
 *
 *   kind 1 | flags 1 | 0 0 | session 4 | sequence 4 | when it was sent, ns 8 | checksum 4 | payload
 */
import { mix } from '../../vocabulary/random.ts'
import { datagramKinds, isOfNoKind } from './session.ts'

export const payloadHeadBytes = 24

/** A flag of datagrams that were sent in the warm-up: they are verified, but not counted. */
export const warmupFlag = 1

/** What distinguishes the headers of a flow from the headers of others. */
export interface HeadKey {
  /** The word of the session. */
  readonly session: number
  /** The secret from which the checksum is computed. */
  readonly secret: number
}

/** With another seed or flow, the checksums are different. */
export const headKey = (session: number, seed: number, flow: number): HeadKey => ({
  session,
  secret: mix(mix(seed) ^ flow),
})

export interface PayloadHead {
  flags: number
  sequence: number
  sentNs: number
}

export function writePayloadHead(
  into: Buffer,
  key: HeadKey,
  { flags, sequence, sentNs }: PayloadHead,
  at = 0,
): void {
  into[at] = datagramKinds.payload
  into[at + 1] = flags
  into.writeUInt16BE(0, at + 2)
  into.writeUInt32BE(key.session, at + 4)
  into.writeUInt32BE(sequence, at + 8)
  writeSentNs(into, key, sentNs, at)
}

/** Writes the instant and the checksum into a header that is complete otherwise. */
export function writeSentNs(into: Buffer, { secret }: HeadKey, sentNs: number, at = 0): void {
  into.writeDoubleBE(sentNs, at + 12)
  into.writeUInt32BE(checksumOf(into, secret, at), at + 20)
}

export const readPayloadHead = (from: Buffer): PayloadHead => ({
  flags: from[1]!,
  sequence: from.readUInt32BE(8),
  sentNs: from.readDoubleBE(12),
})

/**
 * The checksum of all fields that can differ between two headers. `mix` is a permutation, so a
 * change within one word always changes the checksum.
 */
function checksumOf(head: Buffer, secret: number, at: number): number {
  let checksum = mix(secret ^ head[at + 1]!)
  for (let word = at + 4; word < at + 20; word += 4)
    checksum = mix(checksum ^ head.readUInt32BE(word))
  return checksum
}

const isIntact = (datagram: Buffer, secret: number): boolean =>
  datagram.length >= payloadHeadBytes &&
  checksumOf(datagram, secret, 0) === datagram.readUInt32BE(payloadHeadBytes - 4)

/**
 * Whether a datagram has payload of this session, and whether its header is as it was sent.
 * `wrong` is a header that was changed on the way; `other` is no payload, or payload of another
 * session.
 * @param sizeBytes the size of the datagrams with payload
 */
export function payloadStanding(
  datagram: Buffer,
  { session, secret }: HeadKey,
  sizeBytes: number,
): 'right' | 'wrong' | 'other' {
  const isPayload = datagram[0] === datagramKinds.payload
  if (!isPayload && datagram.length !== sizeBytes) return 'other'
  const isOfSession = datagram.length >= 8 && datagram.readUInt32BE(4) === session
  if (isIntact(datagram, secret)) {
    if (!isOfSession) return 'other'
    return isPayload && datagram.readUInt16BE(2) === 0 ? 'right' : 'wrong'
  }
  return isPayload || (isOfSession && isOfNoKind(datagram)) ? 'wrong' : 'other'
}
